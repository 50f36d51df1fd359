"""The U-Net of improved-diffusion and guided-diffusion (arXiv 2102.09672, 2105.05233), restated under the names and with
the shapes of their state dicts: what `ddpm convert --from openai` is measured against."""

import math

import torch
from torch import nn
from torch.nn import functional as F


def norm(channels):
    return nn.GroupNorm(32, channels)


class Residual(nn.Module):
    """Two convolutions with the time between them; `resample` halves or doubles both branches before the first."""

    def __init__(self, inside, outside, time, film, resample=None):
        super().__init__()
        self.film, self.resample = film, resample
        self.in_layers = nn.Sequential(norm(inside), nn.SiLU(), nn.Conv2d(inside, outside, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(time, (2 if film else 1) * outside))
        self.out_layers = nn.Sequential(norm(outside), nn.SiLU(), nn.Dropout(0),
                                        nn.Conv2d(outside, outside, 3, padding=1))
        self.skip_connection = nn.Conv2d(inside, outside, 1) if inside != outside else nn.Identity()

    def forward(self, x, time):
        hidden = self.in_layers[1](self.in_layers[0](x))
        if self.resample == "down":
            hidden, x = F.avg_pool2d(hidden, 2), F.avg_pool2d(x, 2)
        elif self.resample == "up":
            hidden, x = (F.interpolate(a, scale_factor=2, mode="nearest") for a in (hidden, x))
        hidden = self.in_layers[2](hidden)
        told = self.emb_layers(time)[:, :, None, None]
        if self.film:
            scale, shift = told.chunk(2, dim=1)
            hidden = self.out_layers[0](hidden) * (1 + scale) + shift
        else:
            hidden = self.out_layers[0](hidden + told)
        return self.skip_connection(x) + self.out_layers[3](self.out_layers[1](hidden))


class Attention(nn.Module):
    def __init__(self, channels, heads, new_order):
        super().__init__()
        self.heads, self.new_order = heads, new_order
        self.norm = norm(channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x):
        n, c, h, w = x.shape
        size = c // self.heads
        qkv = self.qkv(self.norm(x).flatten(2))
        if self.new_order:
            q, k, v = qkv.view(n, 3, self.heads, size, h * w).unbind(1)
        else:
            q, k, v = qkv.view(n, self.heads, 3, size, h * w).unbind(2)
        likeness = torch.einsum("nhct,nhcs->nhts", q, k) / math.sqrt(size)
        mixed = torch.einsum("nhts,nhcs->nhct", likeness.softmax(dim=-1), v)
        return x + self.proj_out(mixed.reshape(n, c, h * w)).view(n, c, h, w)


class Down(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x):
        return self.op(x)


class Up(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


class OpenaiUNet(nn.Module):
    """`heads` maps the channels of a layer to its heads; `attention` holds the levels with attention."""

    def __init__(self, pictures, channels, mult, layers, attention, heads, film=False, by_resnet=False, new_order=False,
                 classes=None, learn_sigma=False, time_scale=1.0):
        super().__init__()
        width = 4 * channels
        self.channels, self.time_scale = channels, time_scale
        self.time_embed = nn.Sequential(nn.Linear(channels, width), nn.SiLU(), nn.Linear(width, width))
        if classes:
            self.label_emb = nn.Embedding(classes, width)

        def level_parts(inside, outside, level):
            parts = [Residual(inside, outside, width, film)]
            if level in attention:
                parts.append(Attention(outside, heads(outside), new_order))
            return parts

        self.input_blocks = nn.ModuleList([nn.ModuleList([nn.Conv2d(pictures, channels, 3, padding=1)])])
        skips, now = [channels], channels
        for level, factor in enumerate(mult):
            for _ in range(layers):
                self.input_blocks.append(nn.ModuleList(level_parts(now, factor * channels, level)))
                now = factor * channels
                skips.append(now)
            if level + 1 < len(mult):
                self.input_blocks.append(
                    nn.ModuleList([Residual(now, now, width, film, "down") if by_resnet else Down(now)]))
                skips.append(now)
        self.middle_block = nn.ModuleList([Residual(now, now, width, film), Attention(now, heads(now), new_order),
                                           Residual(now, now, width, film)])
        self.output_blocks = nn.ModuleList()
        for level in reversed(range(len(mult))):
            for i in range(layers + 1):
                parts = level_parts(now + skips.pop(), mult[level] * channels, level)
                now = mult[level] * channels
                if level and i == layers:
                    parts.append(Residual(now, now, width, film, "up") if by_resnet else Up(now))
                self.output_blocks.append(nn.ModuleList(parts))
        self.out = nn.Sequential(norm(now), nn.SiLU(),
                                 nn.Conv2d(now, 2 * pictures if learn_sigma else pictures, 3, padding=1))

    def forward(self, x, t, y=None):
        half = self.channels // 2
        frequencies = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32) / half)
        angle = (t.float() * self.time_scale)[:, None] * frequencies[None]
        time = self.time_embed(torch.cat([angle.cos(), angle.sin()], dim=1).to(x.dtype))
        if y is not None:
            time = time + self.label_emb(y)

        def run(parts, x):
            for part in parts:
                x = part(x, time) if isinstance(part, Residual) else part(x)
            return x

        skips = []
        for parts in self.input_blocks:
            x = run(parts, x)
            skips.append(x)
        x = run(self.middle_block, x)
        for parts in self.output_blocks:
            x = run(parts, torch.cat([x, skips.pop()], dim=1))
        return self.out(x)
