#!/usr/bin/env python3
"""Creates a checkpoint with outliers in the inputs of out_proj.

    pip install numpy
    make-outliers.py MODEL FACTOR OUTPUT

MODEL   the folder of a Mamba-1 checkpoint in safetensors, whose D and out_proj are BF16
FACTOR  what the outliers are multiplied by, such as 64
OUTPUT  the folder of the new checkpoint, which must not exist

In each layer, multiplies D of 4 random channels by FACTOR, and divides their columns of out_proj by it. The
output of the scan, to which D * x is added, is not scaled, so the model changes a little. Copies all other
tensors and files.
"""

import json
import re
import shutil
import struct
import sys
from pathlib import Path

import numpy as np

SEED = 7
OUTLIERS = 4
SCALED = re.compile(r"(?:.*\.)?layers\.(\d+)\.mixer\.(D|out_proj\.weight)")


def main(model, factor, output):
    files = {file: bytearray(file.read_bytes()) for file in sorted(Path(model).glob("*.safetensors"))}
    tensors = {name: tensor for file in files for name, tensor in read(files[file]).items()}
    if not any(name.endswith(".mixer.x_proj.weight") for name in tensors):
        sys.exit(f"{model}: not a Mamba-1 checkpoint in safetensors")
    scaled = {name: match for name in tensors if (match := SCALED.fullmatch(name))}
    for name in scaled:
        if tensors[name]["dtype"] != "BF16":
            sys.exit(f"{model}: {name} is {tensors[name]['dtype']}, expected BF16")

    widths = {int(match[1]): tensors[name]["shape"][-1] for name, match in scaled.items()}
    random = np.random.default_rng(SEED)
    outliers = {layer: random.choice(widths[layer], OUTLIERS, replace=False) for layer in sorted(widths)}
    for name, match in scaled.items():
        values = floats(tensors[name])
        values[..., outliers[int(match[1])]] *= factor if match[2] == "D" else 1 / factor
        tensors[name]["bytes"][:] = bf16(values)

    shutil.copytree(model, output)
    for file, content in files.items():
        (Path(output) / file.name).write_bytes(content)


def read(content):
    """Returns the tensors of a file by name, each with a view of its bytes."""
    start = 8 + struct.unpack("<Q", content[:8])[0]
    tensors = json.loads(content[8:start])
    tensors.pop("__metadata__", None)
    for tensor in tensors.values():
        begin, end = tensor["data_offsets"]
        tensor["bytes"] = memoryview(content)[start + begin : start + end]
    return tensors


def floats(tensor):
    bits = np.frombuffer(tensor["bytes"], dtype="<u2").astype(np.uint32) << 16
    return bits.view(np.float32).reshape(tensor["shape"])


def bf16(values):
    """Returns the bytes of the nearest BF16 numbers; ties go to the even one."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3])
