"""Writes a GGUF of the architecture bailingmoe2 from a Hugging Face folder in bfloat16 (`ringflash synth`).

    python3 gguf.py FOLDER OUT.gguf

Standard library only. Matrices keep their bytes; the experts of a layer are put one behind the other; norms and the
router become float32, which llama.cpp asks for. There is no vocabulary in the file: it serves to measure speed.
An MTP layer is left out. Exit codes: 0 done, 2 wrong usage, 3 a folder that is none.
"""
import json
import os
import struct
import sys

F32, BF16 = 0, 30  # ggml's types
ALIGNMENT = 32
CHUNK = 1 << 24


def fail(code, message):
    print(f"gguf.py: {message}", file=sys.stderr)
    sys.exit(code)


def read_header(path):
    """{tensor: (dtype, shape, first byte, length)} of a safetensors file."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return {
        name: (path, entry["dtype"], entry["shape"], 8 + length + entry["data_offsets"][0],
               entry["data_offsets"][1] - entry["data_offsets"][0])
        for name, entry in header.items()
    }


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def key_value(key, value):
    if isinstance(value, bool):
        return text(key) + struct.pack("<IB", 7, value)
    if isinstance(value, int):
        return text(key) + struct.pack("<II", 4, value)
    if isinstance(value, float):
        return text(key) + struct.pack("<If", 6, value)
    return text(key) + struct.pack("<I", 8) + text(value)


def metadata(config):
    heads = config["num_attention_heads"]
    size = config.get("head_dim") or config["hidden_size"] // heads
    values = {
        "block_count": config["num_hidden_layers"],
        "context_length": config["max_position_embeddings"],
        "embedding_length": config["hidden_size"],
        "feed_forward_length": config["intermediate_size"],
        "vocab_size": config["vocab_size"],
        "attention.head_count": heads,
        "attention.head_count_kv": config["num_key_value_heads"],
        "attention.key_length": size,
        "attention.value_length": size,
        "attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"]),
        "rope.freq_base": float(config["rope_theta"]),
        "rope.dimension_count": int(size * config.get("partial_rotary_factor", 0.5)),
        "leading_dense_block_count": config["first_k_dense_replace"],
        "expert_count": config["num_experts"],
        "expert_used_count": config["num_experts_per_tok"],
        "expert_group_count": config["n_group"],
        "expert_group_used_count": config["topk_group"],
        "expert_feed_forward_length": config["moe_intermediate_size"],
        "expert_shared_feed_forward_length": config["moe_intermediate_size"] * config["num_shared_experts"],
        "expert_shared_count": config["num_shared_experts"],
        "expert_weights_scale": float(config["routed_scaling_factor"]),
        "expert_weights_norm": True,
        "expert_gating_func": 2,  # sigmoid
    }
    pairs = {"general.architecture": "bailingmoe2", "general.name": "synthetic", "general.file_type": 32}
    pairs.update({f"bailingmoe2.{key}": value for key, value in values.items()})
    pairs["tokenizer.ggml.model"] = "no_vocab"
    return pairs


def tensors(config):
    """(GGUF name, the checkpoint's names that follow each other in it, whether it becomes float32)."""
    yield "token_embd.weight", ["model.word_embeddings.weight"], False
    for layer in range(config["num_hidden_layers"]):
        theirs, ours = f"blk.{layer}", f"model.layers.{layer}"
        for to, source, wide in (
                ("attn_norm", "input_layernorm", True), ("attn_qkv", "attention.query_key_value", False),
                ("attn_q_norm", "attention.query_layernorm", True), ("attn_k_norm", "attention.key_layernorm", True),
                ("attn_output", "attention.dense", False), ("ffn_norm", "post_attention_layernorm", True)):
            yield f"{theirs}.{to}.weight", [f"{ours}.{source}.weight"], wide
        if layer < config["first_k_dense_replace"]:
            for part in ("gate", "up", "down"):
                yield f"{theirs}.ffn_{part}.weight", [f"{ours}.mlp.{part}_proj.weight"], False
            continue
        yield f"{theirs}.ffn_gate_inp.weight", [f"{ours}.mlp.gate.weight"], True
        yield f"{theirs}.exp_probs_b.bias", [f"{ours}.mlp.gate.expert_bias"], True
        for part in ("gate", "up", "down"):
            yield f"{theirs}.ffn_{part}_exps.weight", [
                f"{ours}.mlp.experts.{expert}.{part}_proj.weight" for expert in range(config["num_experts"])], False
            yield f"{theirs}.ffn_{part}_shexp.weight", [f"{ours}.mlp.shared_experts.{part}_proj.weight"], False
    yield "output_norm.weight", ["model.norm.weight"], True
    yield "output.weight", ["lm_head.weight"], False


def widened(data):
    """bfloat16 bytes as float32 bytes."""
    wide = bytearray(2 * len(data))
    wide[2::4], wide[3::4] = data[0::2], data[1::2]
    return wide


def copy(entry, wide, out):
    path, dtype, _, first, length = entry
    with open(path, "rb") as file:
        file.seek(first)
        while length > 0:
            data = file.read(min(CHUNK, length))
            length -= len(data)
            out.write(widened(data) if wide and dtype == "BF16" else data)


def main():
    if len(sys.argv) != 3:
        fail(2, "usage: gguf.py FOLDER OUT.gguf")
    folder, target = sys.argv[1:]
    try:
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            config = json.load(file)
        found = {}
        for name in sorted(os.listdir(folder)):
            if name.endswith(".safetensors"):
                found.update(read_header(os.path.join(folder, name)))
        infos, offset, plan = b"", 0, []
        for name, names, wide in tensors(config):
            shape = found[names[0]][2]
            dims = [*reversed(shape), *([len(names)] if len(names) > 1 else [])]
            count = len(names)
            for size in shape:
                count *= size
            if not wide and found[names[0]][1] != "BF16":
                fail(3, f"{names[0]} is {found[names[0]][1]}; a folder in BF16 is needed")
            infos += text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, F32 if wide else BF16, offset)
            plan.append((names, wide, offset))
            offset += -(-count * (4 if wide else 2) // ALIGNMENT) * ALIGNMENT
    except (OSError, KeyError, ValueError, struct.error) as error:
        fail(3, f"{folder}: {error!r}")
    pairs = metadata(config)
    with open(target + ".tmp", "wb") as out:
        out.write(b"GGUF" + struct.pack("<IQQ", 3, len(plan), len(pairs)))
        out.write(b"".join(key_value(key, value) for key, value in pairs.items()) + infos)
        out.write(bytes(-out.tell() % ALIGNMENT))
        start = out.tell()
        for names, wide, position in plan:
            out.write(bytes(start + position - out.tell()))
            for name in names:
                copy(found[name], wide, out)
        out.write(bytes(-out.tell() % ALIGNMENT))
    os.replace(target + ".tmp", target)


main()
