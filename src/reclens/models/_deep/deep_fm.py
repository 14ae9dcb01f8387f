# pyright: basic, reportMissingImports=false
"""The network of DeepFM: a factorisation machine and hidden layers over the same embedded fields.

Guo et al. (2017), DeepFM: a factorization-machine based neural network for CTR prediction; IJCAI.
"""

from __future__ import annotations

import torch
from torch import nn

from reclens.models._deep.fm import Embedded, Fields, Rows, pairwise, tower

__all__ = ["DeepFM"]


class DeepFM(nn.Module):
    """Logit of a row: its weights, the products of its fields, and an output of hidden layers over them.

    Args:
        fields: The features.
        factors: Length d of their vectors.
        hidden: Widths of the hidden layers.
        dropout: Share of values that is dropped in training.
    """

    def __init__(self, fields: Fields, *, factors: int, hidden: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.embedded = Embedded(fields, factors)
        self.deep = tower(factors * (int(fields.field_of.max()) + 1), hidden, dropout)

    def forward(self, rows: Rows) -> torch.Tensor:
        """Logits, shape (n,)."""
        fields = self.embedded.fields(rows)
        return self.embedded.linear(rows) + pairwise(fields) + self.deep(fields.flatten(1))[:, 0]
