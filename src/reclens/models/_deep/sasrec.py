# pyright: basic, reportMissingImports=false
"""The network of SASRec: causal self-attention over the items of a user.

Kang, McAuley (2018), Self-attentive sequential recommendation; ICDM. As there, the queries are normalised and the keys
and values are not, and the normalised queries are what the output of attention is added to. Attention has no dropout of
its own weights, which would rule out the fused kernel; its output has.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from reclens.models._deep.batches import Group
from reclens.models._deep.dropout import Dropout

__all__ = ["Attention", "SASRec", "inverse_places"]


def inverse_places(group: Group, max_length: int) -> torch.Tensor:
    """Places counted from the end: the last event has ``max_length - 1``; int64, shape (n, length)."""
    steps = torch.arange(group.items.shape[1], device=group.items.device)
    return (max_length - group.lengths[:, None] + steps).clamp(max=max_length - 1)


class Attention(nn.Module):
    """Scaled dot-product attention with several heads.

    Args:
        factors: Length d of the vectors.
        heads: Number of heads, a divisor of d.
    """

    def __init__(self, factors: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(factors, factors) for _ in range(4))

    def forward(self, asking: torch.Tensor, told: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Attend from every place to itself and those before it, or to those of ``mask``.

        Args:
            asking: What queries are made of, shape (n, length, d).
            told: What keys and values are made of, shape (n, length, d).
            mask: Places that may be attended to, bool, shape (n, 1, 1 or length, length); None for the causal mask.
        """
        n, length, d = asking.shape
        query, key, value = (
            each.view(n, length, self.heads, d // self.heads).transpose(1, 2)  # (n, heads, length, d / heads)
            for each in (self.query(asking), self.key(told), self.value(told))
        )
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=mask is None)
        return self.out(mixed.transpose(1, 2).reshape(n, length, d))

    def weights(self, asking: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        """Weights of all places for the last one, mean over the heads; of one sequence, shape (length,)."""
        _, length, d = asking.shape
        query = self.query(asking[:, -1:]).view(self.heads, 1, d // self.heads)
        key = self.key(told).view(length, self.heads, d // self.heads).permute(1, 2, 0)
        return torch.softmax(query @ key / (d // self.heads) ** 0.5, -1).mean(0)[0]


class _Block(nn.Module):
    def __init__(self, factors: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(factors, heads)
        self.before, self.between = nn.LayerNorm(factors), nn.LayerNorm(factors)
        self.inner, self.outer = nn.Linear(factors, factors), nn.Linear(factors, factors)
        self.dropout = Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        asking = self.before(x)
        x = self.between(asking + self.dropout(self.attention(asking, x)))
        return x + self.dropout(self.outer(self.dropout(F.relu(self.inner(x)))))


class SASRec(nn.Module):
    """Vectors of items in, vectors of what comes next out; an item scores the dot product with its own vector.

    Args:
        items: Number of items.
        factors: Length d of the vectors.
        blocks: Number of blocks of attention and feed-forward layer.
        heads: Heads of attention.
        max_length: Longest sequence.
        dropout: Share of values that is dropped in training.
    """

    def __init__(self, *, items: int, factors: int, blocks: int, heads: int, max_length: int, dropout: float) -> None:
        super().__init__()
        self.max_length = max_length
        self.items = nn.Embedding(items, factors)
        self.places = nn.Embedding(max_length, factors)
        self.blocks = nn.ModuleList(_Block(factors, heads, dropout) for _ in range(blocks))
        self.last = nn.LayerNorm(factors)
        self.dropout = Dropout(dropout)
        for name, each in self.named_parameters():
            if each.dim() == 2 and name.startswith(("items", "places")):
                nn.init.normal_(each, std=factors**-0.5 / 4)
            elif each.dim() == 2:
                nn.init.xavier_uniform_(each)
            elif name.endswith("bias"):
                nn.init.zeros_(each)

    def forward(self, group: Group, embedded: torch.Tensor | None = None) -> torch.Tensor:
        """State after each event: shape (n, length, d); what stands in padded places has no meaning.

        Args:
            group: The sequences.
            embedded: Vectors of their items, shape (n, length, d), in place of those of the network.
        """
        x = self.items(group.items) if embedded is None else embedded
        x = self.dropout(x * x.shape[-1] ** 0.5 + self.places(inverse_places(group, self.max_length)))
        # Padding stands behind the events: no event attends to it, because attention is causal.
        for block in self.blocks:
            x = block(x)
        return self.last(x)

    def attention(self, group: Group) -> torch.Tensor:
        """Weights of the events of one sequence for what comes next, shape (blocks, length)."""
        x = self.items(group.items) * self.items.weight.shape[1] ** 0.5
        x, found = x + self.places(inverse_places(group, self.max_length)), []
        for block in self.blocks:
            found.append(block.attention.weights(block.before(x), x))
            x = block(x)
        return torch.stack(found)
