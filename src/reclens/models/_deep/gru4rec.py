# pyright: basic, reportMissingImports=false
"""The network of GRU4Rec: gated recurrent units over the items of a user.

Hidasi, Karatzoglou, Baltrunas, Tikk (2016), Session-based recommendations with recurrent neural networks; ICLR.
"""

from __future__ import annotations

import torch
from torch import nn

from reclens.models._deep.batches import Group
from reclens.models._deep.dropout import Dropout

__all__ = ["GRU4Rec"]


class GRU4Rec(nn.Module):
    """Vectors of items in, vectors of what comes next out.

    Args:
        items: Number of items.
        factors: Length d of the vectors and of the state.
        layers: Number of layers.
        dropout: Share of values that is dropped in training.
    """

    def __init__(self, *, items: int, factors: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.items = nn.Embedding(items, factors)
        self.units = nn.GRU(factors, factors, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.last = nn.Linear(factors, factors)
        self.dropout = Dropout(dropout)
        nn.init.normal_(self.items.weight, std=factors**-0.5)

    def forward(self, group: Group, embedded: torch.Tensor | None = None) -> torch.Tensor:
        """State after each event: shape (n, length, d); padding stands behind the events and is read last.

        Args:
            group: The sequences.
            embedded: Vectors of their items, shape (n, length, d), in place of those of the network.
        """
        x = self.items(group.items) if embedded is None else embedded
        states, _ = self.units(self.dropout(x))
        return self.last(self.dropout(states))
