# pyright: basic, reportMissingImports=false
"""The network of HSTU: pointwise attention with biases of position and time, gated.

Zhai et al. (2024), Actions speak louder than words: trillion-parameter sequential transducers for generative
recommendations; ICML. Where times are compared, the time of a place is that of its event, or, as in the paper's code,
that of the event after it: the network is then told when the item that it predicts was consumed.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from reclens.models._deep.batches import Group
from reclens.models._deep.dropout import Dropout
from reclens.models._deep.sasrec import inverse_places

__all__ = ["HSTU", "TimeBias"]

TimeBias = Literal["none", "event", "target"]

_BUCKETS = 128
_WIDTH = 0.301
"""Buckets of time are this wide on the scale of the natural logarithm of seconds."""


class _Layer(nn.Module):
    """One unit: what a place asks, keeps and passes on, from one product; no softmax."""

    def __init__(self, factors: int, heads: int, max_length: int, dropout: float, time_bias: TimeBias) -> None:
        super().__init__()
        self.heads, self.max_length, self.time_bias = heads, max_length, time_bias
        self.parts = nn.Linear(factors, 4 * factors, bias=False)  # gate, value, query, key
        self.out = nn.Linear(factors, factors)
        self.by_place = nn.Parameter(torch.empty(max_length))
        if time_bias != "none":
            self.by_time = nn.Parameter(torch.empty(_BUCKETS + 1))
        self.dropout = Dropout(dropout)

    def forward(self, x: torch.Tensor, distance: torch.Tensor, bucket: torch.Tensor | None) -> torch.Tensor:
        n, length, d = x.shape
        gate, value, query, key = F.silu(self.parts(F.layer_norm(x, (d,)))).split(d, -1)
        value, query, key = (
            each.reshape(n, length, self.heads, d // self.heads).transpose(1, 2) for each in (value, query, key)
        )
        scores = query @ key.transpose(2, 3)  # (n, heads, length, length)
        scores = scores + self.by_place[distance.clamp(min=0)]
        if bucket is not None:
            scores = scores + self.by_time[bucket][:, None]
        # Divided by a constant: what a sequence gets must not depend on how long those beside it are.
        weights = (F.silu(scores) / self.max_length).masked_fill(distance < 0, 0.0)
        mixed = (weights @ value).transpose(1, 2).reshape(n, length, d)
        return x + self.out(self.dropout(gate * F.layer_norm(mixed, (d,))))


class HSTU(nn.Module):
    """Vectors of items in, vectors of what comes next out.

    Args:
        items: Number of items.
        factors: Length d of the vectors.
        blocks: Number of layers.
        heads: Heads of attention.
        max_length: Longest sequence.
        dropout: Share of values that is dropped in training.
        time_bias: Whether attention looks at times, and whether that of a place is the one of its event or of the
            event after it.
    """

    def __init__(
        self,
        *,
        items: int,
        factors: int,
        blocks: int,
        heads: int,
        max_length: int,
        dropout: float,
        time_bias: TimeBias,
    ) -> None:
        super().__init__()
        self.max_length, self.time_bias = max_length, time_bias
        self.items, self.places = nn.Embedding(items, factors), nn.Embedding(max_length, factors)
        self.blocks = nn.ModuleList(_Layer(factors, heads, max_length, dropout, time_bias) for _ in range(blocks))
        self.last = nn.LayerNorm(factors)
        self.dropout = Dropout(dropout)
        for name, each in self.named_parameters():
            if "by_" in name:
                nn.init.normal_(each, std=0.02)
            elif name in ("items.weight", "places.weight"):
                nn.init.normal_(each, std=factors**-0.5 / 4)
            elif each.dim() == 2:
                nn.init.xavier_uniform_(each)

    def forward(self, group: Group, embedded: torch.Tensor | None = None) -> torch.Tensor:
        """State after each event: shape (n, length, d).

        Args:
            group: The sequences, with their times where the network looks at them.
            embedded: Vectors of their items, shape (n, length, d), in place of those of the network.
        """
        x = self.items(group.items) if embedded is None else embedded
        x = self.dropout(x * x.shape[-1] ** 0.5 + self.places(inverse_places(group, self.max_length)))
        steps = torch.arange(x.shape[1], device=x.device)
        distance = steps[:, None] - steps  # how far a place lies before the one that asks; below 0: in its future
        bucket = self._buckets(group)
        for block in self.blocks:
            x = block(x, distance, bucket)
        return self.last(x)

    def _buckets(self, group: Group) -> torch.Tensor | None:
        """Bucket of the time between two places, int64, shape (n, length, length)."""
        if self.time_bias == "none":
            return None
        asked = group.next_times if self.time_bias == "target" else group.times
        assert asked is not None and group.times is not None
        apart = (asked[:, :, None] - group.times[:, None, :]).abs().clamp(min=1)
        return (torch.log(apart.float()) / _WIDTH).long().clamp(max=_BUCKETS)
