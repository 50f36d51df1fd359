"""Ho et al.'s U-Net (arXiv 2006.11239) under the names of pesser/pytorch_diffusion, restated: what
`ddpm convert --from pesser` is measured against."""

import math

import torch
from torch import nn
from torch.nn import functional as F


def norm(channels):
    return nn.GroupNorm(32, channels, eps=1e-6)


def swish(x):
    return x * torch.sigmoid(x)


class Named(nn.Module):
    """Only holds others under their names."""

    def __init__(self, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)


class Residual(nn.Module):
    def __init__(self, inside, outside, time):
        super().__init__()
        self.norm1, self.conv1 = norm(inside), nn.Conv2d(inside, outside, 3, padding=1)
        self.temb_proj = nn.Linear(time, outside)
        self.norm2, self.conv2 = norm(outside), nn.Conv2d(outside, outside, 3, padding=1)
        if inside != outside:
            self.nin_shortcut = nn.Conv2d(inside, outside, 1)

    def forward(self, x, time):
        hidden = self.conv1(swish(self.norm1(x))) + self.temb_proj(swish(time))[:, :, None, None]
        hidden = self.conv2(swish(self.norm2(hidden)))
        return hidden + (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x)


class Attention(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = norm(channels)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, x):
        normed = self.norm(x)
        q, k, v = (layer(normed).flatten(2) for layer in (self.q, self.k, self.v))
        likeness = torch.einsum("nct,ncs->nts", q, k) * x.shape[1] ** -0.5
        mixed = torch.einsum("nts,ncs->nct", likeness.softmax(dim=-1), v)
        return x + self.proj_out(mixed.view_as(x))


class Down(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Up(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


class PesserUNet(nn.Module):
    """`attention` holds the levels with attention. `divide_last` computes the frequencies in diffusers' order, which
    rounds otherwise in float32: 6e-7 of the output, more than a comparison in float64 may differ."""

    def __init__(self, pictures, channels, mult, layers, attention):
        super().__init__()
        time = 4 * channels
        self.channels, self.divide_last = channels, False
        self.temb = Named(dense=nn.ModuleList([nn.Linear(channels, time), nn.Linear(time, time)]))
        self.conv_in = nn.Conv2d(pictures, channels, 3, padding=1)
        widths = [channels * factor for factor in mult]
        skips, now = [channels], channels
        self.down = nn.ModuleList()
        for level, width in enumerate(widths):
            block = nn.ModuleList()
            for _ in range(layers):
                block.append(Residual(now, width, time))
                now = width
                skips.append(now)
            attn = nn.ModuleList(Attention(width) for _ in range(layers) if level in attention)
            parts = Named(block=block, attn=attn)
            if level + 1 < len(widths):
                parts.downsample = Down(width)
                skips.append(now)
            self.down.append(parts)
        self.mid = Named(block_1=Residual(now, now, time), attn_1=Attention(now), block_2=Residual(now, now, time))
        levels = []
        for level in reversed(range(len(widths))):
            block = nn.ModuleList()
            for _ in range(layers + 1):
                block.append(Residual(now + skips.pop(), widths[level], time))
                now = widths[level]
            parts = Named(block=block, attn=nn.ModuleList(Attention(now) for _ in block if level in attention))
            if level:
                parts.upsample = Up(now)
            levels.insert(0, parts)
        self.up = nn.ModuleList(levels)
        self.norm_out, self.conv_out = norm(now), nn.Conv2d(now, pictures, 3, padding=1)

    def forward(self, x, t):
        half = self.channels // 2
        i = torch.arange(half, dtype=torch.float32)
        exponent = -math.log(10000) * i / (half - 1) if self.divide_last else i * -(math.log(10000) / (half - 1))
        frequencies = torch.exp(exponent)
        angle = t.float()[:, None] * frequencies[None]
        time = self.temb.dense[0](torch.cat([angle.sin(), angle.cos()], dim=1).to(x.dtype))
        time = self.temb.dense[1](swish(time))
        skips = [self.conv_in(x)]
        for parts in self.down:
            for i, block in enumerate(parts.block):
                hidden = block(skips[-1], time)
                skips.append(parts.attn[i](hidden) if len(parts.attn) else hidden)
            if hasattr(parts, "downsample"):
                skips.append(parts.downsample(skips[-1]))
        x = self.mid.block_2(self.mid.attn_1(self.mid.block_1(skips[-1], time)), time)
        for parts in reversed(self.up):
            for i, block in enumerate(parts.block):
                x = block(torch.cat([x, skips.pop()], dim=1), time)
                x = parts.attn[i](x) if len(parts.attn) else x
            if hasattr(parts, "upsample"):
                x = parts.upsample(x)
        return self.conv_out(swish(self.norm_out(x)))
