#!/usr/bin/env python3
"""A golden case of real weights, from Transformers and the published checkpoint, in one command:

    python3 tools/capture_golden.py Ring-flash-2.0 --ids 1,2,3 --layers 0,1,31 --out ring-flash-case
    ringflash verify ring-flash-case --model Ring-flash-2.0

Runs the modelling code that lies in the checkpoint folder (trust_remote_code) once over the ids and writes, in the
format of golden/FORMAT.md: what goes into and comes out of the chosen layers, their router decisions, the logits, and
weights.json, which names every weight that was used by file, byte range and SHA-256.

Only public interfaces are used: AutoModelForCausalLM, forward hooks. The published code needs Transformers 4.5x.
"""
import argparse
import concurrent.futures
import hashlib
import json
import math
import os
import re
import shutil
import struct
import sys
import tempfile

import torch

FORMAT = "ringflash-golden/1"
WEIGHTS_FORMAT = "ringflash-weights/1"
MOST_LOGITS = 1 << 22  # whole logits up to this many values, the shorter forms above
FIRST_LOGITS, BEST_LOGITS = 4096, 64
DTYPE_NAMES = {torch.float32: "F32", torch.bfloat16: "BF16", torch.int64: "I64"}
DTYPE_ORDER = {"I64": 0, "F32": 1, "BF16": 2}  # larger alignment first, as the safetensors library writes


class Fault(Exception):
    """An input that is wrong: one line for the person."""


# Checkpoint: which weights, where, and which bytes.

def read_header(path):
    """The tensors of a safetensors file: name -> (first byte, byte behind the last), counted from the file's start."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > 100_000_000:
            raise Fault(f"{path}: header of {length} bytes; at most 100000000")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    start = 8 + length
    return {name: tuple(start + offset for offset in entry["data_offsets"]) for name, entry in header.items()}


def checkpoint_files(folder):
    """Tensor name -> file name, from the index or from the single file."""
    index = os.path.join(folder, "model.safetensors.index.json")
    single = "model.safetensors"
    if os.path.exists(os.path.join(folder, single)):
        return {name: single for name in read_header(os.path.join(folder, single))}
    if not os.path.exists(index):
        raise Fault(f"{folder}: neither {single} nor its index is there")
    with open(index, encoding="utf-8") as file:
        return json.load(file)["weight_map"]


def used_names(names, routed, layer_count):
    """Without the experts that no token was routed to and without layers that the model does not have."""
    def is_used(name):
        layer = re.match(r"model\.layers\.(\d+)\.", name)
        if layer is None:
            return True
        number = int(layer.group(1))
        expert = re.search(r"\.mlp\.experts\.(\d+)\.", name)
        return number < layer_count and (expert is None or int(expert.group(1)) in routed.get(number, ()))
    return sorted(filter(is_used, names))


def fingerprints(folder, names):
    """name, file, begin, end, sha256 of each tensor."""
    files = checkpoint_files(folder)
    headers = {file: read_header(os.path.join(folder, file)) for file in {files[name] for name in names}}

    def fingerprint(name):
        begin, end = headers[files[name]][name]
        digest = hashlib.sha256()
        with open(os.path.join(folder, files[name]), "rb") as file:
            file.seek(begin)
            left = end - begin
            while left > 0:
                piece = file.read(min(left, 1 << 20))
                if not piece:
                    raise Fault(f"{files[name]}: ends inside {name}")
                digest.update(piece)
                left -= len(piece)
        return {"name": name, "file": files[name], "begin": begin, "end": end, "sha256": digest.hexdigest()}

    with concurrent.futures.ThreadPoolExecutor() as pool:
        return list(pool.map(fingerprint, names))


# Taps: forward hooks under the names of the golden format.

class Taps:
    """Records what the hooks see. The model is BailingMoeV2ForCausalLM, or anything with its module names."""

    def __init__(self, model, layers, top_groups):
        self.tensors = {}
        self.routed = {}  # layer -> experts that a token was routed to
        self._handles = []
        self._calls = {}
        inner = model.model
        self._layers = list(inner.layers)
        mtp = [index for index, layer in enumerate(self._layers) if hasattr(layer, "eh_proj")]
        self.main_layer_count = len(self._layers) - len(mtp)
        wanted = range(len(self._layers)) if layers is None else layers
        outputs = {layer - 1 for layer in wanted if 0 < layer < self.main_layer_count} | set(wanted)
        self._on(inner.word_embeddings, self._embeddings(0 in wanted, any(layer in mtp for layer in wanted)))
        for index, layer in enumerate(self._layers):
            name = f"model.layers.{index}"
            if index in outputs:
                source = layer.final_layernorm if index in mtp else layer
                self._on(source, lambda output, name=name: self.keep(f"{name}.output", first(output)))
            if hasattr(layer.mlp, "gate") and hasattr(layer.mlp, "experts"):
                gate = layer.mlp.gate
                self._on(gate, lambda output, gate=gate, index=index: self._router(
                    gate, index, output, index in wanted, top_groups))
        self._on(inner.norm, lambda output: self.keep("model.norm.output", output))
        self._on(model.lm_head, self._logits)

    def keep(self, name, tensor):
        self.tensors[name] = tensor.detach().cpu().contiguous().clone()

    def remove(self):
        for handle in self._handles:
            handle.remove()

    def _on(self, module, see):
        self._handles.append(module.register_forward_hook(lambda _module, _inputs, output: see(output)))

    def _call(self, name):
        self._calls[name] = self._calls.get(name, -1) + 1
        return self._calls[name]

    def _embeddings(self, main, shifted):
        def see(output):  # the second call is the MTP layer's, with the ids rolled left by one
            call = self._call("word_embeddings")
            if call == 0 and main:
                self.keep("model.word_embeddings.output", output)
            elif call == 1 and shifted:
                self.keep("mtp.0.word_embeddings.output", output)
        return see

    def _logits(self, output):
        if self._call("lm_head") == 0:
            keep_logits(self, "lm_head.output", output)
        else:
            keep_logits(self, "mtp.0.logits", output.float())

    def _router(self, gate, layer, output, wanted, top_groups):
        indices, weights, logits = output
        self.routed.setdefault(layer, set()).update(indices.flatten().tolist())
        if not wanted:
            return
        name = f"model.layers.{layer}.mlp.gate"
        experts = logits.shape[-1]
        logits = logits.detach().float().reshape(-1, experts)
        scores = torch.sigmoid(logits)
        self.keep(f"{name}.logits", logits)
        self.keep(f"{name}.scores", scores)
        self.keep(f"{name}.topk_idx", indices.reshape(logits.shape[0], -1))
        self.keep(f"{name}.topk_weight", weights.float().reshape(logits.shape[0], -1))
        self.keep(f"{name}.margin", margins(
            scores, gate.expert_bias, indices.reshape(logits.shape[0], -1), *top_groups).float())


def first(output):
    return output[0] if isinstance(output, tuple) else output


def margins(scores, bias, indices, groups, kept_groups):
    """How far each token is from another choice: in float64, from the biased scores."""
    biased = (scores.detach() + bias.detach()).double().cpu()
    indices = indices.cpu()
    tokens, experts = biased.shape
    grouped = biased.reshape(tokens, groups, experts // groups)
    group_scores = grouped.topk(2, dim=-1)[0].sum(-1)
    best = group_scores.sort(dim=-1, descending=True)
    chosen_groups = best[1][:, :kept_groups]
    between_groups = torch.full((tokens,), math.inf, dtype=torch.float64)
    if kept_groups < groups:
        between_groups = best[0][:, kept_groups - 1] - best[0][:, kept_groups]
    candidates = torch.zeros(tokens, groups, dtype=torch.bool).scatter_(1, chosen_groups, True)
    candidates = candidates.repeat_interleave(experts // groups, dim=1)
    last_chosen = biased.gather(1, indices).min(dim=1)[0]
    not_chosen = biased.masked_fill(~candidates, -math.inf).scatter(1, indices, -math.inf).max(dim=1)[0]
    return torch.minimum(between_groups, last_chosen - not_chosen)


def keep_logits(taps, name, logits):
    """Whole, or in the shorter forms of the format where a vocabulary of every token would be too much."""
    if logits.numel() <= MOST_LOGITS:
        taps.keep(name, logits)
        return
    prefix = name.rsplit(".", 1)[0]
    logits = logits.detach().float().cpu()
    count = min(FIRST_LOGITS, logits.shape[-1])
    best = min(BEST_LOGITS, logits.shape[-1])
    values, ids = logits.topk(best, dim=-1)
    taps.keep(f"{prefix}.logits_first{count}", logits[..., :count])
    taps.keep(f"{prefix}.logsumexp", torch.logsumexp(logits.double(), dim=-1).float())
    taps.keep(f"{prefix}.argmax", ids[..., 0])
    taps.keep(f"{prefix}.top{best}.ids", ids)
    taps.keep(f"{prefix}.top{best}.values", values)


# Writing.

def write_safetensors(path, tensors, metadata):
    """In the order of the safetensors library: larger alignment first, then names by their bytes."""
    named = [(DTYPE_NAMES[tensor.dtype], name, tensor) for name, tensor in tensors.items()]
    named.sort(key=lambda entry: (DTYPE_ORDER[entry[0]], entry[1].encode()))
    header, position = {"__metadata__": metadata}, 0
    for dtype, name, tensor in named:
        end = position + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [position, end]}
        position = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _dtype, _name, tensor in named:
            plain = tensor.view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor
            file.write(plain.numpy().tobytes())
        file.flush()
        os.fsync(file.fileno())


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())


def write_case(out, config, precision, ids, tensors, weights, source, notes):
    """All files into a folder of a temporary name, which then gets the real one."""
    out = os.path.abspath(out)
    name = os.path.basename(out)
    temporary = tempfile.mkdtemp(prefix=f".{name}.", suffix=".tmp", dir=os.path.dirname(out))
    try:
        os.chmod(temporary, 0o755)
        row = torch.tensor([ids], dtype=torch.int64)
        inputs = {
            "input_ids": row,
            "attention_mask": torch.ones_like(row),
            "position_ids": torch.arange(len(ids), dtype=torch.int64).unsqueeze(0),
        }
        write_safetensors(os.path.join(temporary, "golden.safetensors"), {**inputs, **tensors}, {"case": name})
        write_json(os.path.join(temporary, "config.json"), config)
        write_json(os.path.join(temporary, "weights.json"), {"format": WEIGHTS_FORMAT, "tensors": weights})
        write_json(os.path.join(temporary, "case.json"), {
            "format": FORMAT, "name": name, "kind": "model", "precision": precision, "seed": "0",
            "weights": {"kind": "checkpoint", "list": "weights.json"},
            "config": "config.json",
            "inputs": {
                "batch": 1, "sequence_length": len(ids), "attention_mask": "all ones", "position_ids": "0..T-1",
                "position_offset": 0, "use_cache": False, "mode": "eval",
            },
            "source": source, "notes": notes,
        })
        if os.path.isdir(out):
            os.rmdir(out)  # refuses a folder that holds anything
        os.rename(temporary, out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def capture(model, folder, config, ids, layers, precision, out, source):
    """Runs the model once and writes the case. Returns the number of taps and of weights."""
    if os.path.exists(out) and (not os.path.isdir(out) or os.listdir(out)):
        raise Fault(f"{out}: is there already and not empty; nothing was changed")
    if not ids or min(ids) < 0 or max(ids) >= config["vocab_size"]:
        raise Fault(f"--ids: need at least one id, each below the vocabulary of {config['vocab_size']}")
    count = len(model.model.layers)
    if layers is not None and max(layers) >= count:
        raise Fault(f"--layers: there is no layer {max(layers)}; the model has 0-{count - 1}")
    taps = Taps(model, layers, (config["n_group"], config["topk_group"]))
    try:
        with torch.no_grad():
            model(input_ids=torch.tensor([ids], dtype=torch.int64), use_cache=False)
    finally:
        taps.remove()
    names = used_names(checkpoint_files(folder), taps.routed, count)
    weights = fingerprints(folder, names)
    mtp = count - taps.main_layer_count
    config = {**config, "num_hidden_layers": taps.main_layer_count, "num_nextn_predict_layers": mtp}
    chosen = "all" if layers is None else ", ".join(map(str, sorted(layers)))
    smallest = min((tensor.min().item() for name, tensor in taps.tensors.items() if name.endswith(".margin")),
                   default=None)
    notes = [f"layers with boundary and router taps: {chosen}"]
    if smallest is not None:
        notes.append(f"minimum router decision margin {smallest:.3e}")
    write_case(out, config, precision, ids, taps.tensors, weights, source, notes)
    return len(taps.tensors), len(weights)


def restore_expert_bias(model, folder):
    """Loading in bfloat16 may round the biases, which the file and every serving engine keep in float32."""
    files = checkpoint_files(folder)
    restored = 0
    for index, layer in enumerate(model.model.layers):
        name = f"model.layers.{index}.mlp.gate.expert_bias"
        if name not in files or not hasattr(layer.mlp, "gate"):
            continue
        path = os.path.join(folder, files[name])
        begin, end = read_header(path)[name]
        bias = layer.mlp.gate.expert_bias
        if bias.is_meta or end - begin != 4 * bias.numel():
            continue  # kept off the devices by Transformers, or not float32 in the file either
        with open(path, "rb") as file:
            file.seek(begin)
            values = torch.frombuffer(bytearray(file.read(end - begin)), dtype=torch.float32)
        bias.data = values.to(bias.device)
        restored += 1
    return restored


def parse_numbers(text, option):
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise Fault(f"{option}: '{text}' is not a list of whole numbers") from None


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="checkpoint folder, with the published modelling code in it")
    parser.add_argument("--ids", required=True, help="token ids of one sequence, separated by commas")
    parser.add_argument("--out", required=True, help="case folder to write; absent or empty")
    parser.add_argument("--layers", help="layers whose input, output and router are kept, e.g. 0,1,31; default all")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--device-map", help="handed to Transformers, e.g. auto, for models larger than one device")
    options = parser.parse_args(arguments)
    ids = parse_numbers(options.ids, "--ids")
    layers = None if options.layers is None else set(parse_numbers(options.layers, "--layers"))
    if layers is not None and min(layers) < 0:
        raise Fault("--layers: a layer is a number from 0")
    config_path = os.path.join(options.model, "config.json")
    if not os.path.exists(config_path):
        raise Fault(f"{config_path}: no such file")
    with open(config_path, encoding="utf-8") as file:
        config = json.load(file)
    try:
        import transformers
    except ImportError:
        raise Fault("Transformers is not installed here: pip install 'transformers<5'") from None

    torch.backends.cuda.matmul.allow_tf32 = False  # the published router is a true float32 product
    model = transformers.AutoModelForCausalLM.from_pretrained(
        options.model, torch_dtype=getattr(torch, options.precision), trust_remote_code=True,
        attn_implementation="eager", device_map=options.device_map).eval()
    restored = restore_expert_bias(model, options.model)
    source = {
        "captured_by": "tools/capture_golden.py",
        "model_code": f"{type(model).__module__}.{type(model).__name__}",
        "transformers": transformers.__version__, "torch": torch.__version__, "attention": "eager",
        "patches": [f"expert_bias of {restored} layers set to the float32 values of the checkpoint after loading"],
    }
    taps, weights = capture(model, options.model, config, ids, layers, options.precision, options.out, source)
    print(f"{options.out}: {taps} taps, {weights} weights named in weights.json")
    print(f"check with: ringflash verify {options.out} --model {options.model}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (Fault, OSError) as fault:
        print(f"capture_golden: {fault}", file=sys.stderr)
        sys.exit(3 if isinstance(fault, Fault) else 5)
