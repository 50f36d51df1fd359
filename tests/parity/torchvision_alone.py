"""Makes `import torchvision` possible beside a torch that its compiled operators were not built for."""
import sys

import torch

_declared = []


def prepare():
    """Imports torchvision. Where its library of operators can't be loaded it asks for two of them while it is imported, which are declared
    then. What calls these operators still fails; networks and transforms do not."""
    try:
        import torchvision  # noqa: F401
    except RuntimeError as error:
        if _declared or "torchvision::nms" not in str(error):
            raise
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(library)  # The operators go when the object does.
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        import torchvision  # noqa: F401
