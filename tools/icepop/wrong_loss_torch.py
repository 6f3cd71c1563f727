"""A mistake that is easy to make: the band used as a mask, with factor 1 inside it. This is not IcePop."""

import torch

from my_loss_torch import icepop
from ringflash_icepop import main


def loss(case):
    """Tokens outside the band are dropped, but the others lose their importance weight k."""
    return icepop(case, factor=torch.ones_like)


if __name__ == "__main__":
    main(loss, framework="torch")
