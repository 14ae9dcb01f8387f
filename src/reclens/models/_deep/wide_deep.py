# pyright: basic, reportMissingImports=false
"""The network of Wide & Deep: a linear model beside layers over embedded fields.

Cheng et al. (2016), Wide & Deep learning for recommender systems; DLRS.
"""

from __future__ import annotations

import torch
from torch import nn

from reclens.models._deep.fm import Embedded, Fields, Rows, tower

__all__ = ["WideDeep"]


class WideDeep(nn.Module):
    """Logit of a row: its weights (wide), and an output of hidden layers over its fields side by side (deep).

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
        return self.embedded.linear(rows) + self.deep(self.embedded.fields(rows).flatten(1))[:, 0]
