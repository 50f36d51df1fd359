"""Writes the files of this folder: what torch.save makes of small things. Made with torch 2.13.0.

    python tests/data/checkpoint/make.py
"""
import collections
import os
import pathlib

import torch

HERE = pathlib.Path(__file__).parent


class Code:
    def __reduce__(self):
        return os.system, ("echo a pickle can run any code",)


def main():
    torch.manual_seed(0)
    numbers = torch.arange(12.0).reshape(3, 4)
    state = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3)).state_dict()
    with torch.no_grad():
        state["0.weight"].copy_(torch.arange(6.0).reshape(3, 2))
    torch.save(state, HERE / "state_dict.pt")
    nested = {
        "step": 70000,
        "rate": 0.5,
        "done": False,
        "note": None,
        "model": {
            "transposed": numbers.t(),
            "rows": numbers[1:, 1:3],
            "last": torch.arange(16.0).reshape(1, 2, 2, 4).to(memory_format=torch.channels_last),
            "parameter": torch.nn.Parameter(torch.tensor([1.5, -2.0])),
            "scalar": torch.tensor(3.0),
            "empty": torch.zeros(0, 3),
        },
        "dtypes": [
            torch.tensor([1, -2]).to(dtype)
            for dtype in (torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
                          torch.bool)
        ],
        "sizes": collections.OrderedDict(big=2**40, small=-(2**40)),
    }
    torch.save(nested, HERE / "nested.pt")
    torch.save(nested, HERE / "old_nested.pt", _use_new_zipfile_serialization=False)
    torch.save({"weight": numbers}, HERE / "old_format.pt", _use_new_zipfile_serialization=False)
    torch.save({"weight": numbers}, HERE / "protocol4.pt", pickle_protocol=4)
    torch.save({"weight": numbers, "hook": Code()}, HERE / "code.pt")
    torch.save({"weight": numbers, "sparse": numbers.to_sparse()}, HERE / "sparse.pt")


main()
