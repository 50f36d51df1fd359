"""Inception's features (`inception:FILE` and its relatives) against pytorch-fid's and torch-fidelity's own classes, with random weights:
the published ones can't be had everywhere. clean-fid is restated by Pillow, and sFID by pytorch-fid's network."""
import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

import torchvision_alone

torchvision_alone.prepare()
import pytorch_fid.inception
import torchvision
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from tools import relative

SIZE = (299, 299)
BOUND = 1e-5  # of the largest feature, in float32


def random_state():
    """A state_dict with the names and shapes of the published file; activations keep their size from layer to layer."""
    generator = torch.Generator().manual_seed(0)
    network = torchvision.models.inception_v3(num_classes=1008, aux_logits=False, weights=None, init_weights=False)
    state = network.state_dict()
    for name, tensor in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        noise = torch.randn(tensor.shape, generator=generator)
        if tensor.dim() > 1:
            state[name] = noise * (2 / tensor[0].numel()) ** 0.5
        elif name.endswith(("bn.weight", "running_var")):
            state[name] = (1 + 0.2 * noise).clamp_min(0.3)
        else:
            state[name] = 0.1 * noise
    return state


def pictures(height, width):
    generator = torch.Generator().manual_seed(height)
    coarse = torch.rand(2, 3, 4, 4, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic")
    noise = 0.1 * torch.randn(2, 3, height, width, generator=generator)
    return ((smooth + noise).clamp(0, 1) * 255).round().to(torch.uint8)


def by_pillow(x):
    planes = [Image.fromarray(plane.numpy().astype(np.float32), mode="F").resize(SIZE, resample=Image.BICUBIC)
              for plane in x.flatten(0, 1)]
    return torch.from_numpy(np.stack([np.asarray(plane).clip(0, 255) for plane in planes])).view(-1, 3, *SIZE)


def own_classes(file, state):
    """{the row's name: what takes pictures of 8 bits}"""
    pytorch_fid.inception.load_state_dict_from_url = lambda *arguments, **more: state
    fid = pytorch_fid.inception.InceptionV3().eval()
    bare = pytorch_fid.inception.InceptionV3(resize_input=False, normalize_input=False).eval()
    fidelity = FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path=str(file))
    middle = {}
    mixed_6d = bare.blocks[2][6]
    mixed_6d.branch1x1.register_forward_hook(lambda module, given, answer: middle.update(answer=answer))

    def spatial(x):
        bare((interpolate_bilinear_2d_like_tensorflow1x(x.float(), size=SIZE, align_corners=False) - 128) / 128)
        return middle["answer"][:, :7].permute(0, 2, 3, 1).flatten(1)

    return {
        "inception": lambda x: fidelity(x)[0],
        "inception-pytorch-fid": lambda x: fid(x.float() / 255)[0].flatten(1),
        "inception-clean-fid": lambda x: bare((by_pillow(x) - 128) / 128)[0].flatten(1),
        "inception-spatial": spatial,
    }


def run(programs, report):
    state = random_state()
    files = {ending: programs.work / f"inception{ending}" for ending in (".pth", ".old.pth", ".safetensors")}
    torch.save(state, files[".pth"])
    torch.save(state, files[".old.pth"], _use_new_zipfile_serialization=False)
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, str(files[".safetensors"]))
    theirs = own_classes(files[".pth"], state)
    titles = {"inception": "2048 features, torch-fidelity", "inception-pytorch-fid": "2048 features, pytorch-fid",
              "inception-clean-fid": "2048 features, clean-fid's resize by Pillow", "inception-spatial": "2023 spatial features"}
    with torch.inference_mode():
        for height, width in ((32, 32), (64, 48), (320, 311)):
            x = pictures(height, width)
            for name, features in theirs.items():
                ours = programs.ask("features", f"{name}:{files['.pth']}", tensors={"pictures": x})[0]["features"]
                report(f"Inception: {titles[name]}", relative(ours, features(x)), BOUND)
    x = pictures(32, 32)
    first, *others = (programs.ask("features", f"inception:{file}", tensors={"pictures": x})[0]["features"] for file in files.values())
    for other in others:
        report("Inception: the same weights in torch.save's format before 1.6 and as safetensors", (first - other).abs().max(), 0.0)
    for file in files.values():
        file.unlink()
