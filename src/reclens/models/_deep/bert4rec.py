# pyright: basic, reportMissingImports=false
"""The network of BERT4Rec: bidirectional self-attention over items, some of which are masked.

Sun et al. (2019), BERT4Rec: sequential recommendation with bidirectional encoder representations from transformer;
CIKM.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from reclens.models._deep.batches import Batch, Group
from reclens.models._deep.dropout import Dropout
from reclens.models._deep.sasrec import Attention, inverse_places

__all__ = ["BERT4Rec", "drawn_masks", "masked_item_loss"]

_LAST_ALONE = 1 / 11
"""Share of sequences whose last event is masked alone: one beside ten random masks, as in the paper's data."""


def drawn_masks(group: Group, share: float) -> torch.Tensor:
    """Which events are masked, at least one of each sequence: bool, shape (n, length)."""
    real, n = group.mask(), len(group.lengths)
    last = torch.zeros_like(real)
    last[torch.arange(n, device=real.device), group.lengths - 1] = True
    masked = (torch.rand(real.shape, device=real.device) < share) & real
    alone = (torch.rand(n, device=real.device) < _LAST_ALONE) | ~masked.any(1)
    return torch.where(alone[:, None], last, masked)


def masked_item_loss(
    network: BERT4Rec, batch: Batch, criterion: Callable[..., torch.Tensor], *, share: float
) -> torch.Tensor:
    """The mean loss over the masked events of a batch, whose targets are its events."""
    states, chosen = [], []
    for group in batch.groups:
        masked = drawn_masks(group, share)
        states.append(network(group, masked=masked)[masked])
        chosen.append(masked[group.mask()])
    at = torch.cat(chosen)
    found = torch.cat(states).float()
    return criterion(found, network.items.weight.float(), batch.targets[at], batch.rows[at])


class _Block(nn.Module):
    """Attention and a feed-forward layer of four times the width, each followed by a norm."""

    def __init__(self, factors: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(factors, heads)
        self.after, self.last = nn.LayerNorm(factors), nn.LayerNorm(factors)
        self.inner, self.outer = nn.Linear(factors, 4 * factors), nn.Linear(4 * factors, factors)
        self.dropout = Dropout(dropout)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = self.after(x + self.dropout(self.attention(x, x, mask)))
        return self.last(x + self.dropout(self.outer(F.gelu(self.inner(x)))))


class BERT4Rec(nn.Module):
    """Vectors of items in, vectors of what stands in each place out.

    Args:
        items: Number of items.
        factors: Length d of the vectors.
        blocks: Number of blocks.
        heads: Heads of attention.
        max_length: Longest sequence, without the mask of a request.
        dropout: Share of values that is dropped in training.
    """

    def __init__(self, *, items: int, factors: int, blocks: int, heads: int, max_length: int, dropout: float) -> None:
        super().__init__()
        self.max_length = max_length
        self.items, self.places = nn.Embedding(items, factors), nn.Embedding(max_length + 1, factors)
        self.mask = nn.Parameter(torch.empty(factors))
        self.blocks = nn.ModuleList(_Block(factors, heads, dropout) for _ in range(blocks))
        self.first, self.last = nn.LayerNorm(factors), nn.LayerNorm(factors)
        self.head = nn.Linear(factors, factors)
        self.dropout = Dropout(dropout)
        for name, each in self.named_parameters():
            if each.dim() == 2 or name == "mask":
                nn.init.trunc_normal_(each, std=0.02 if each.dim() == 1 else each.shape[1] ** -0.5 / 4)

    def forward(
        self, group: Group, embedded: torch.Tensor | None = None, masked: torch.Tensor | None = None
    ) -> torch.Tensor:
        """State of each place: shape (n, length, d).

        Args:
            group: The sequences.
            embedded: Vectors of their items, shape (n, length, d), in place of those of the network.
            masked: Events whose item is hidden, bool, shape (n, length).
        """
        x = self.items(group.items) if embedded is None else embedded
        if masked is not None:
            x = torch.where(masked[:, :, None], self.mask, x)
        x = self.dropout(self.first(x + self.places(inverse_places(group, self.max_length + 1))))
        real = group.mask()[:, None, None, :]  # (n, 1, 1, length): nothing attends to padding
        for block in self.blocks:
            x = block(x, real)
        return self.last(F.gelu(self.head(x)))

    def next_states(self, group: Group, embedded: torch.Tensor | None = None) -> torch.Tensor:
        """State of a mask behind the last event, shape (n, d)."""
        x = self.items(group.items) if embedded is None else embedded
        n = len(group.lengths)
        rows = torch.arange(n, device=x.device)
        longer = Group(items=F.pad(group.items, (0, 1)), lengths=group.lengths + 1)
        masked = torch.zeros_like(longer.items, dtype=torch.bool)
        masked[rows, group.lengths] = True
        return self(longer, F.pad(x, (0, 0, 0, 1)), masked)[rows, group.lengths]
