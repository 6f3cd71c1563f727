#!/usr/bin/env python3
"""Runs a model with Hugging Face Transformers once and writes what `ringflash compare` reads.

    python3 dump_transformers.py MODEL --ids 119,150,408 --out dump.safetensors [--dtype bfloat16] [--device cuda]

Needs torch and transformers; the safetensors package is not needed. See TRANSFORMERS.md beside this file.
"""

import argparse

import torch

from module_hooks import DEFAULT_PATTERN, ModuleHooks
from safetensors_file import SafetensorsFile


def dump(model, inputs, path, metadata, pattern=DEFAULT_PATTERN):
    """Runs model(**inputs) once and writes inputs, module outputs and logits to path; returns modules called again."""
    file = SafetensorsFile(path, metadata)
    for name, tensor in inputs.items():
        if isinstance(tensor, torch.Tensor):
            file.add(name, tensor)
    with torch.no_grad(), ModuleHooks(model, file, pattern) as hooks:
        model(**inputs)
    file.finish()
    return sorted(set(hooks.repeated))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder of the model")
    parser.add_argument("--ids", required=True, help="token ids, separated by commas")
    parser.add_argument("--out", required=True, help="the safetensors file to write")
    parser.add_argument("--dtype", default="bfloat16", help="bfloat16 (default) or float32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--modules", default=DEFAULT_PATTERN, help="regular expression of the modules to record")
    arguments = parser.parse_args()

    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(
        arguments.model,
        torch_dtype=getattr(torch, arguments.dtype),
        trust_remote_code=True,  # the published class: this runs code of the model's folder
        attn_implementation="eager",
    ).eval().to(arguments.device)
    ids = torch.tensor([[int(word) for word in arguments.ids.split(",")]], device=arguments.device)
    metadata = {
        "writer": "ringflash tools/Dump/dump_transformers.py",
        "framework": f"transformers {transformers.__version__}, torch {torch.__version__}",
        "model": arguments.model,
        "dtype": arguments.dtype,
        "rank": "0",
    }
    repeated = dump(model, {"input_ids": ids, "use_cache": False}, arguments.out, metadata, arguments.modules)
    for name in repeated:
        print(f"{name} was called more than once: its first call was written")
    print(f"{arguments.out} written")


if __name__ == "__main__":
    main()
