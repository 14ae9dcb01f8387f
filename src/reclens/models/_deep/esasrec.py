# pyright: basic, reportMissingImports=false
"""The network of eSASRec: causal LiGR layers.

Borisyuk et al. (2025), From features to transformers: redefining ranking for scalable impact (arXiv 2502.03417);
Tikhonovich et al. (2025), eSASRec; RecSys (arXiv 2508.06450).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from reclens.models._deep.batches import Group
from reclens.models._deep.dropout import Dropout
from reclens.models._deep.sasrec import Attention, inverse_places

__all__ = ["ESASRec"]


class _Layer(nn.Module):
    """Attention and a SwiGLU feed-forward layer, each behind a norm and added through a gate."""

    def __init__(self, factors: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(factors, heads)
        self.before, self.between = nn.LayerNorm(factors), nn.LayerNorm(factors)
        self.opened, self.inner = (nn.Linear(factors, 4 * factors, bias=False) for _ in range(2))
        self.outer = nn.Linear(4 * factors, factors, bias=False)
        self.gate_attention, self.gate_inner = nn.Linear(factors, factors), nn.Linear(factors, factors)
        self.dropout = Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        told = self.before(x)
        x = x + torch.sigmoid(self.gate_attention(x)) * self.dropout(self.attention(told, told))
        told = self.between(x)
        wide = self.dropout(F.silu(self.opened(told)) * self.inner(told))  # (n, length, 4 d)
        return x + torch.sigmoid(self.gate_inner(x)) * self.dropout(self.outer(wide))


class ESASRec(nn.Module):
    """Vectors of items in, vectors of what comes next out.

    Args:
        items: Number of items.
        factors: Length d of the vectors.
        blocks: Number of layers.
        heads: Heads of attention.
        max_length: Longest sequence.
        dropout: Share of values that is dropped in training.
    """

    def __init__(self, *, items: int, factors: int, blocks: int, heads: int, max_length: int, dropout: float) -> None:
        super().__init__()
        self.max_length = max_length
        self.items, self.places = nn.Embedding(items, factors), nn.Embedding(max_length, factors)
        self.blocks = nn.ModuleList(_Layer(factors, heads, dropout) for _ in range(blocks))
        self.dropout = Dropout(dropout)
        for each in self.parameters():
            if each.dim() == 2:
                nn.init.xavier_normal_(each)

    def forward(self, group: Group, embedded: torch.Tensor | None = None) -> torch.Tensor:
        """State after each event: shape (n, length, d).

        Args:
            group: The sequences.
            embedded: Vectors of their items, shape (n, length, d), in place of those of the network.
        """
        x = self.items(group.items) if embedded is None else embedded
        x = self.dropout(x + self.places(inverse_places(group, self.max_length)))
        for block in self.blocks:
            x = block(x)
        return x
