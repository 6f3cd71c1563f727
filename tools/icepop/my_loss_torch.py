"""IcePop in plain PyTorch; the gradient comes from autograd."""

import math

import torch

from ringflash_icepop import main


def band(bound):
    """log of an end of the band: log 0 is minus infinity."""
    return math.log(bound) if bound > 0 else -math.inf


def icepop(case, factor):
    """The loss in five aggregations; factor(k) is the weight of a token inside the band."""
    log_k = case.logp_old - case.logp_infer
    keep = case.mask & torch.isfinite(log_k) & (log_k >= band(case.alpha)) & (log_k <= band(case.beta))
    k = torch.exp(torch.where(keep, log_k, 0))
    keep = keep & torch.isfinite(k)
    weight = torch.where(keep, factor(k), 0)

    # Select before computing: the gradient of what is dropped or clipped is 0, and 0 times an infinite exp is NaN.
    advantage = case.advantages[:, None].expand_as(log_k)
    with torch.no_grad():
        r = torch.exp(case.logp_theta - case.logp_old)
        clipped = torch.where(advantage > 0, r > 1 + case.eps_high, r < 1 - case.eps_low)
        bound = torch.where(advantage > 0, torch.full_like(r, 1 + case.eps_high), 1 - case.eps_low)
    live = keep & (advantage != 0)
    r = torch.exp(torch.where(live & ~clipped, case.logp_theta - case.logp_old, 0))
    contribution = torch.where(live, -weight * torch.where(clipped, bound, r) * advantage, 0)

    tokens = case.mask.sum(dim=1)
    rows = contribution.sum(dim=1)
    means = rows / tokens.clamp(min=1)
    return {
        "loss": {
            "seq_mean_token_mean": means.sum() / max(len(rows), 1),
            "seq_mean_token_mean_nonempty": means.sum() / (tokens > 0).sum().clamp(min=1),
            "token_mean": rows.sum() / tokens.sum().clamp(min=1),
            "seq_mean_token_sum": rows.sum() / max(len(rows), 1),
            "token_sum": rows.sum(),
        },
        "keep": keep,
        "weight": weight,
    }


def loss(case):
    """IcePop: inside the band the weight is k."""
    return icepop(case, factor=lambda k: k)


if __name__ == "__main__":
    main(loss, framework="torch")
