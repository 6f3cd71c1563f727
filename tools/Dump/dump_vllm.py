#!/usr/bin/env python3
"""Runs one prompt through vLLM and writes what `ringflash compare` reads: one safetensors file per rank.

    python3 dump_vllm.py MODEL --ids 119,150,408 --out dump-folder [--tensor-parallel 2]

The model runs eagerly and whole (no CUDA graphs, no chunks, no cached prefix). See VLLM.md beside this file.
"""

import argparse
import os

from module_hooks import DEFAULT_PATTERN, ModuleHooks
from safetensors_file import SafetensorsFile

# vLLM hands a layer's residual along beside its hidden states, so both parts of each output are recorded; its fused
# norm works in place, which is why a hook writes at once.


def attach(worker, folder, pattern, metadata):
    """Runs in every worker: hooks its part of the model."""
    model = worker.model_runner.model
    rank = getattr(worker, "rank", 0)
    metadata = dict(metadata, rank=rank, tp_rank=getattr(worker, "rank", 0) % max(1, int(metadata["tp_size"])))
    worker.ringflash_file = SafetensorsFile(os.path.join(folder, f"rank{rank}.safetensors"), metadata)
    worker.ringflash_hooks = ModuleHooks(model, worker.ringflash_file, pattern)
    return rank


def detach(worker):
    """Runs in every worker: takes the hooks off and writes the file; returns modules that were called again."""
    worker.ringflash_hooks.__exit__()
    worker.ringflash_file.finish()
    return sorted(set(worker.ringflash_hooks.repeated))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder of the model")
    parser.add_argument("--ids", required=True, help="token ids, separated by commas")
    parser.add_argument("--out", required=True, help="the folder to write to")
    parser.add_argument("--tensor-parallel", type=int, default=1)
    parser.add_argument("--modules", default=DEFAULT_PATTERN, help="regular expression of the modules to record")
    arguments = parser.parse_args()

    # Functions are handed to the workers by pickle, which vLLM allows only when told so; it is our own code.
    os.environ.setdefault("VLLM_ALLOW_INSECURE_SERIALIZATION", "1")
    import vllm

    # Workers are processes of their own and import the two modules beside this file.
    here = os.path.dirname(os.path.abspath(__file__))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))

    ids = [int(word) for word in arguments.ids.split(",")]
    os.makedirs(arguments.out, exist_ok=True)
    llm = vllm.LLM(
        arguments.model,
        trust_remote_code=True,
        skip_tokenizer_init=True,
        enforce_eager=True,
        enable_prefix_caching=False,
        enable_chunked_prefill=False,
        tensor_parallel_size=arguments.tensor_parallel,
        max_model_len=max(64, 2 * len(ids)),
    )
    metadata = {
        "writer": "ringflash tools/Dump/dump_vllm.py",
        "framework": f"vllm {vllm.__version__}",
        "model": arguments.model,
        "tp_size": arguments.tensor_parallel,
        "ids": arguments.ids,
    }
    llm.collective_rpc(attach, args=(os.path.abspath(arguments.out), arguments.modules, metadata))
    llm.generate(
        {"prompt_token_ids": ids}, vllm.SamplingParams(max_tokens=1, temperature=0.0, detokenize=False))
    for name in sorted({name for names in llm.collective_rpc(detach) for name in names}):
        print(f"{name} was called more than once: its first call was written")
    print(f"{arguments.out} written")


if __name__ == "__main__":
    main()
