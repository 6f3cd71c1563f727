"""IcePop in NumPy with its closed gradient; a starting point for a loss of your own."""

import numpy as np

from ringflash_icepop import main


def coefficients(mask):
    """What a token's contribution is multiplied by, for each aggregation: [rollouts, 1]."""
    tokens = mask.sum(axis=1, keepdims=True)
    rows, used, total = max(len(mask), 1), max((tokens > 0).sum(), 1), max(tokens.sum(), 1)
    ones = np.ones(tokens.shape)
    return {
        "seq_mean_token_mean": ones / (rows * np.maximum(tokens, 1)),
        "seq_mean_token_mean_nonempty": ones / (used * np.maximum(tokens, 1)),
        "token_mean": ones / total,
        "seq_mean_token_sum": ones / rows,
        "token_sum": ones,
    }


@np.errstate(all="ignore")
def loss(case):
    """IcePop: w = k in the closed band, else 0; -w * min(r * A, clip(r) * A)."""
    log_k = case.logp_old - case.logp_infer
    keep = case.mask & np.isfinite(log_k) & (log_k >= np.log(case.alpha)) & (log_k <= np.log(case.beta))
    k = np.exp(np.where(keep, log_k, 0))
    keep &= np.isfinite(k)
    weight = np.where(keep, k, 0)
    r = np.exp(np.where(keep, case.logp_theta - case.logp_old, 0))
    advantage = np.broadcast_to(case.advantages[:, None], keep.shape)
    clipped = np.where(advantage > 0, r > 1 + case.eps_high, r < 1 - case.eps_low)
    live = keep & (advantage != 0)  # select, never multiply: 0 * infinity is NaN
    used = np.where(clipped, np.where(advantage > 0, 1 + case.eps_high, 1 - case.eps_low), r)
    contribution = np.where(live, -weight * used * advantage, 0)
    gradient = np.where(clipped, 0, contribution)
    scale = coefficients(case.mask)
    return {
        "loss": {word: (c * contribution).sum() for word, c in scale.items()},
        "grad": {word: c * gradient for word, c in scale.items()},
        "keep": keep,
        "weight": weight,
    }


if __name__ == "__main__":
    main(loss)
