# pyright: basic, reportMissingImports=false
"""Dropout with sixteen random bits a value: PyTorch's own is the slowest layer of a small network on a CPU.

Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov (2014), Dropout: a simple way to prevent neural networks from
overfitting; JMLR.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["Dropout"]


class Dropout(nn.Module):
    """Sets each value to 0 with a probability in training, and divides the others by the share that is kept.

    Args:
        share: The probability, from 0 to below 1. On a CPU it is rounded to multiples of 1 / 65,536.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.cut = round(share * 65_536)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The values that are kept, divided by their share; of the shape of ``x``."""
        if not self.training or not self.cut:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.share)
        words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        bits = words.view(torch.int16)[: x.numel()].view(x.shape)
        kept = torch.empty_like(x, requires_grad=False)
        torch.ge(bits, self.cut - 32_768, out=kept)  # written as numbers: a product with bools is eight times slower
        return x * kept.mul_(65_536 / (65_536 - self.cut))
