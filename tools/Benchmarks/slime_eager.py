"""The peer of the objective benchmark: the IcePop formula as an eager framework writes it, forward and backward.

Called by the benchmark: slime_eager.py ROLLOUTS RESPONSE. Answers every line on standard input with the milliseconds of one
forward and backward pass, so that both sides can be timed in alternation.
"""
import sys
import time

import torch

rollouts, response = int(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(2)
generator = torch.Generator().manual_seed(1)


def uniform(scale, shift=0.0):
    return torch.rand(rollouts, response, generator=generator) * scale + shift


old = uniform(-2.0)
current = (old + uniform(0.1, -0.05)).requires_grad_()
inference = old + uniform(0.1, -0.05)
mask = (torch.arange(response)[None, :] < (response - torch.arange(rollouts))[:, None]).float()
advantages = (torch.rand(rollouts, 1, generator=generator) - 0.5).expand(rollouts, response)


def loss():
    ratio = torch.exp(old - inference)
    weight = torch.where((ratio >= 0.5) & (ratio <= 5.0), ratio, torch.zeros_like(ratio))
    policy = torch.exp(current - old)
    surrogate = torch.maximum(-policy * advantages, -policy.clamp(0.8, 1.2) * advantages)
    per_token = surrogate * weight * mask
    return (per_token.sum(1) / mask.sum(1).clamp(min=1)).mean()


print("ready torch", torch.__version__, "with", torch.get_num_threads(), "threads, on data of the same kind", flush=True)
for _ in sys.stdin:
    current.grad = None
    start = time.perf_counter()
    loss().backward()
    print((time.perf_counter() - start) * 1000.0, flush=True)
