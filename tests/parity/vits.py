"""Features of DINOv2 and CLIP: transformers' classes with random weights, saved as they save them, and Pillow's resizing."""
import numpy
import torch
from PIL import Image
from transformers import (CLIPConfig, CLIPModel, CLIPVisionConfig, CLIPVisionModelWithProjection, Dinov2Config,
                          Dinov2ForImageClassification, Dinov2Model, Dinov2WithRegistersConfig, Dinov2WithRegistersModel)

from tools import randomize, relative

SIZES = dict(hidden_size=128, num_hidden_layers=3, num_attention_heads=2)
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
BOUND = 2e-5  # of the largest number: float32 in another order


def dinov2(image_size, **more):
    return Dinov2Model(Dinov2Config(**SIZES, image_size=image_size, patch_size=14, **more))


def clip_vision(image_size=56, patch_size=14):
    return dict(SIZES, image_size=image_size, patch_size=patch_size, intermediate_size=320, projection_dim=48)


NETWORKS = {
    "dinov2, positions of 224": lambda: dinov2(224),
    "dinov2, positions of 518": lambda: dinov2(518),
    "dinov2, positions of 42": lambda: dinov2(42),
    "dinov2, patches of 16": lambda: Dinov2Model(Dinov2Config(**SIZES, image_size=224, patch_size=16)),
    "dinov2, SwiGLU": lambda: dinov2(70, use_swiglu_ffn=True),
    "dinov2 with registers": lambda: Dinov2WithRegistersModel(
        Dinov2WithRegistersConfig(**SIZES, image_size=518, patch_size=14, num_register_tokens=4)),
    "dinov2 before a classifier": lambda: Dinov2ForImageClassification(Dinov2Config(**SIZES, image_size=70, patch_size=14)),
    "clip, its vision model": lambda: CLIPVisionModelWithProjection(CLIPVisionConfig(**clip_vision())),
    "clip, patches of 32": lambda: CLIPVisionModelWithProjection(CLIPVisionConfig(**clip_vision(96, 32))),
    "clip, with its text model": lambda: CLIPModel(CLIPConfig(
        vision_config=clip_vision(), text_config=dict(SIZES, intermediate_size=64, vocab_size=50, bos_token_id=0, eos_token_id=1,
                                                      pad_token_id=2), projection_dim=48)),
}


def prepared(pictures, size, mean, deviation):
    """uint8 [N, C, H, W] → float32 [N, 3, size, size]. Pillow 13.0 resizes columns first where that is less work; before, it was rows."""
    out = []
    for picture in pictures.permute(0, 2, 3, 1).numpy():
        mode = {1: "L", 3: "RGB", 4: "RGBA"}[picture.shape[-1]]
        image = Image.fromarray(picture[:, :, 0] if mode == "L" else picture, mode)
        if mode == "RGBA":
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        image = image.convert("RGB").resize((size, image.height), Image.BICUBIC).resize((size, size), Image.BICUBIC)
        out.append(torch.from_numpy(numpy.array(image)).permute(2, 0, 1))
    x = torch.stack(out).float() / 255
    return (x - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(deviation).view(3, 1, 1)


def features(network, pictures):
    with torch.no_grad():
        if isinstance(network, (CLIPModel, CLIPVisionModelWithProjection)):
            vision = network.config.vision_config if isinstance(network, CLIPModel) else network.config
            x = prepared(pictures, vision.image_size, *CLIP)
            pooled = network.vision_model(x).pooler_output
            embedded = network.visual_projection(pooled)
            return embedded / embedded.norm(dim=1, keepdim=True)
        base = network.dinov2 if isinstance(network, Dinov2ForImageClassification) else network
        return base(prepared(pictures, 224, *IMAGENET)).last_hidden_state[:, 0]


def run(programs, report):
    generator = torch.Generator().manual_seed(1)
    for seed, (name, make) in enumerate(NETWORKS.items()):
        network = randomize(make(), seed).eval()
        folder = programs.work / f"vit-{seed}"
        network.save_pretrained(str(folder))
        kind = name.split()[0].strip(",")
        for shape in ((3, 32, 32), (1, 28, 28), (4, 40, 24), (3, 300, 260)):
            pictures = torch.randint(0, 256, (2, *shape), generator=generator, dtype=torch.uint8)
            ours, _ = programs.ask("features", f"{kind}:{folder / 'model.safetensors'}", tensors={"pictures": pictures})
            report(f"features of pictures by {name}", relative(ours["features"], features(network, pictures)), BOUND)
