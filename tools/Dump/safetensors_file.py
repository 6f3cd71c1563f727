"""Writes a safetensors file piece by piece: dumps need not fit in memory twice, and no package beside torch is needed.

Tensors go to a temporary file beside the target as they come; finish() writes the header and the data to the target
under a temporary name and renames it, so that a file under the target's name is always whole.
"""

import json
import os
import shutil

import torch

# The names of torch's element types in a safetensors header; newer types are there when this torch has them.
NAMES = {
    getattr(torch, name): header
    for name, header in (
        ("float32", "F32"), ("bfloat16", "BF16"), ("float16", "F16"), ("float64", "F64"),
        ("float8_e4m3fn", "F8_E4M3"), ("float8_e5m2", "F8_E5M2"), ("int8", "I8"), ("int16", "I16"),
        ("int32", "I32"), ("int64", "I64"), ("uint8", "U8"), ("uint16", "U16"), ("uint32", "U32"),
        ("uint64", "U64"), ("bool", "BOOL"),
    )
    if hasattr(torch, name)
}


def raw_bytes(tensor):
    """The stored bits of a tensor, row-major and little-endian; nothing is converted."""
    flat = tensor.detach().contiguous().cpu().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""


class SafetensorsFile:
    """add() as often as wanted, then finish(); a name that comes again is refused."""

    def __init__(self, path, metadata=None):
        self.path = str(path)
        self.metadata = {str(key): str(value) for key, value in (metadata or {}).items()}
        self.header = {}
        self.length = 0
        self.data_path = f"{self.path}.data.tmp"
        self.data = open(self.data_path, "wb")

    def __contains__(self, name):
        return name in self.header

    def add(self, name, tensor):
        if name in self.header:
            raise ValueError(f"{name} is there already")
        if tensor.dtype not in NAMES:
            raise ValueError(f"{name}: {tensor.dtype} has no place in a safetensors file")
        content = raw_bytes(tensor)
        self.data.write(content)
        self.header[name] = {
            "dtype": NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [self.length, self.length + len(content)],
        }
        self.length += len(content)

    def finish(self):
        self.data.close()
        header = {"__metadata__": self.metadata, **self.header} if self.metadata else self.header
        text = json.dumps(header, ensure_ascii=False).encode()
        text += b" " * (-len(text) % 8)
        whole = f"{self.path}.tmp"
        with open(whole, "wb") as target, open(self.data_path, "rb") as data:
            target.write(len(text).to_bytes(8, "little") + text)
            shutil.copyfileobj(data, target, 1 << 20)
            target.flush()
            os.fsync(target.fileno())
        os.replace(whole, self.path)
        os.remove(self.data_path)
