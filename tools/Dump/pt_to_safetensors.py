#!/usr/bin/env python3
"""Turns files of torch.save, such as SGLang's dumps, into safetensors that `ringflash compare` reads.

    python3 pt_to_safetensors.py DUMP-FOLDER-OR-FILE OUT-FOLDER

`ringflash compare` reads the zip form of torch.save (PyTorch 1.6 and later) by itself; this script is for the older
forms and for types that it refuses. Every .pt gives one .safetensors of the same name. Files are loaded with
weights_only=True: what would run code is refused by torch and reported here.
"""

import argparse
import pathlib
import sys

import torch

from module_hooks import tensors_of
from safetensors_file import SafetensorsFile


def flatten(meta, prefix=""):
    """The plain values of SGLang's meta as text, nested keys joined by dots."""
    for key, value in meta.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key}.")
        elif isinstance(value, (str, int, float, bool)):
            yield f"{prefix}{key}", str(value).lower() if isinstance(value, bool) else str(value)


def convert(source, target):
    """Converts one file; returns the number of tensors."""
    content = torch.load(source, map_location="cpu", weights_only=True)
    tags = dict(part.split("=", 1) for part in source.stem.split("___") if "=" in part)
    name = tags.get("name", source.stem)
    if isinstance(content, dict) and set(content) == {"value", "meta"}:
        tags.update(flatten(content["meta"]))
        name = tags.get("name", name)
        content = content["value"]
    elif isinstance(content, dict):
        name = ""
    found = [(key.lstrip("."), tensor) for key, tensor in tensors_of(content, name)]
    if found:
        file = SafetensorsFile(target, tags)
        for key, tensor in found:
            file.add(key, tensor)
        file.finish()
    return len(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    arguments = parser.parse_args()
    folder = arguments.source if arguments.source.is_dir() else arguments.source.parent
    files = sorted(arguments.source.rglob("*.pt")) if arguments.source.is_dir() else [arguments.source]
    failed = 0
    for source in files:
        target = arguments.out / source.relative_to(folder).with_suffix(".safetensors")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            count = convert(source, target)
            print(f"{source.name}: {count} tensors" if count else f"{source.name}: holds no tensor, nothing written")
        except Exception as error:  # one bad file must not keep back the others
            failed += 1
            reason = str(error).split("WeightsUnpickler error:")[-1].strip().splitlines() or [type(error).__name__]
            print(f"{source.name}: refused: {reason[0]}", file=sys.stderr)
    return 1 if failed or not files else 0


if __name__ == "__main__":
    sys.exit(main())
