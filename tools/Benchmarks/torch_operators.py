"""The peer of the attention and elementwise benchmarks: one operator of libtorch in float32.

Called by the benchmark: torch_operators.py FOLDER OPERATOR SIZES...; the folder holds the inputs and our output as raw
float32. Refuses to go on when the two outputs differ by more than 1e-5. Then answers every line on standard input with
the milliseconds of one run.
"""
import sys
import time

import numpy
import torch

folder, operator, sizes = sys.argv[1], sys.argv[2], [int(size) for size in sys.argv[3:]]
torch.set_num_threads(2)
torch.set_grad_enabled(False)


def load(name, *shape):
    return torch.from_numpy(numpy.fromfile(f"{folder}/{name}.f32", dtype=numpy.float32)).reshape(shape)


def attention(heads, key_value_heads, tokens, past, width):
    def repeated(name):
        states = load(name, 1, key_value_heads, past + tokens, width)
        return states.repeat_interleave(heads // key_value_heads, 1).contiguous()

    functional = torch.nn.functional
    query, keys, values = load("query", 1, heads, tokens, width), repeated("keys"), repeated("values")
    if hasattr(functional, "scaled_dot_product_attention"):
        def once():
            return functional.scaled_dot_product_attention(query, keys, values, is_causal=tokens > 1)

        name = "scaled_dot_product_attention"
    else:
        mask = torch.full((tokens, past + tokens), float("-inf")).triu(past + 1)

        def once():
            scores = torch.matmul(query, keys.transpose(2, 3)) / width ** 0.5
            if tokens > 1:
                scores = scores + mask
            return torch.matmul(torch.softmax(scores, dim=-1), values)

        name = "matmul, softmax, matmul (this version has no scaled_dot_product_attention)"
    return name, once, lambda result: result.transpose(1, 2).reshape(-1)


def rms_norm(rows, width):
    x, weight = load("x", rows, width), load("weight", width)
    if hasattr(torch.nn.functional, "rms_norm"):
        return "rms_norm", lambda: torch.nn.functional.rms_norm(x, (width,), weight, 1e-6), lambda y: y.reshape(-1)

    def once():
        return weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))

    return "the published expression (this version has no rms_norm)", once, lambda y: y.reshape(-1)


def softmax(rows, width):
    x = load("x", rows, width)
    return "softmax", lambda: torch.softmax(x, dim=-1), lambda y: y.reshape(-1)


def silu_up(rows, width):
    gate, up = load("gate", rows, width), load("up", rows, width)
    return "silu(gate) * up", lambda: torch.nn.functional.silu(gate) * up, lambda y: y.reshape(-1)


name, once, flat = {f.__name__: f for f in (attention, rms_norm, softmax, silu_up)}[operator](*sizes)
difference = (flat(once()) - load("output", -1)).abs().max().item()
if not difference < 1e-5:
    sys.exit(f"libtorch and we differ by {difference:.1e}; nothing is timed")
print(f"ready torch {torch.__version__}, {name}, {torch.get_num_threads()} threads, largest difference {difference:.1e}")
sys.stdout.flush()
for _ in sys.stdin:
    start = time.perf_counter()
    once()
    print((time.perf_counter() - start) * 1000.0, flush=True)
