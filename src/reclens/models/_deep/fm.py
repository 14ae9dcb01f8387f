# pyright: basic, reportMissingImports=false
"""Embedded fields, and factorisation machines over them.

Rendle (2010), Factorization machines; ICDM.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from reclens.models._deep.dropout import Dropout

__all__ = [
    "FM",
    "Embedded",
    "Fields",
    "Rows",
    "attributions",
    "batches",
    "click_loss",
    "logits",
    "pairwise",
    "rows_of",
    "tower",
]

_ROWS = 8_192
"""Rows that are scored at a time."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Fields:
    """Features of users and items: codes, their values, and the field of each column.

    Attributes:
        users: Codes and values of users, shape (users, columns of users).
        items: The same of items.
        field_of: Field of each column, users first; int64, shape (columns,).
        n: Number of features.
    """

    users: tuple[np.ndarray, np.ndarray]
    items: tuple[np.ndarray, np.ndarray]
    field_of: np.ndarray
    n: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Rows:
    """Pairs of a user and an item, with what became of them.

    Attributes:
        codes: Features, int64, shape (n, columns).
        values: Their values, float32, shape (n, columns).
        labels: 0 or 1, float32, shape (n,).
    """

    codes: torch.Tensor
    values: torch.Tensor
    labels: torch.Tensor

    def to(self, device: torch.device) -> Rows:
        """The same rows on a device."""
        return Rows(**{name: each.to(device) for name, each in vars(self).items()})


def rows_of(fields: Fields, users: np.ndarray, items: np.ndarray, labels: np.ndarray) -> Rows:
    """The features of pairs."""
    parts = [np.concatenate([fields.users[at][users], fields.items[at][items]], axis=1) for at in (0, 1)]
    return Rows(
        codes=torch.from_numpy(parts[0].astype(np.int64)),
        values=torch.from_numpy(parts[1]),
        labels=torch.from_numpy(labels.astype(np.float32)),
    )


class Embedded(nn.Module):
    """A vector and a weight for each feature; a field is the sum of the vectors of its features."""

    def __init__(self, fields: Fields, factors: int) -> None:
        super().__init__()
        self.vectors, self.weights = nn.Embedding(fields.n, factors), nn.Embedding(fields.n, 1)
        self.bias = nn.Parameter(torch.zeros(()))
        n_fields = int(fields.field_of.max()) + 1
        belongs = torch.from_numpy(np.eye(n_fields, dtype=np.float32)[fields.field_of])  # (columns, fields)
        self.register_buffer("belongs", belongs, persistent=False)
        nn.init.normal_(self.vectors.weight, std=0.01)
        nn.init.zeros_(self.weights.weight)

    def linear(self, rows: Rows) -> torch.Tensor:
        """Weights of the features of each row, shape (n,)."""
        return self.bias + (self.weights(rows.codes)[:, :, 0] * rows.values).sum(1)

    def fields(self, rows: Rows) -> torch.Tensor:
        """Vectors of the fields of each row, shape (n, fields, d)."""
        return torch.einsum("ncd,cf->nfd", self.vectors(rows.codes) * rows.values[:, :, None], self.belongs)


def pairwise(fields: torch.Tensor) -> torch.Tensor:
    """Sum of the products of all pairs of fields, shape (n,): half of the square of the sum less the sum of squares."""
    return 0.5 * (fields.sum(1) ** 2 - (fields**2).sum(1)).sum(1)


def tower(width: int, hidden: tuple[int, ...], dropout: float) -> nn.Sequential:
    """Hidden layers with dropout, and one output."""
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [nn.Linear(width, size), nn.ReLU(), Dropout(dropout)]
        width = size
    return nn.Sequential(*layers, nn.Linear(width, 1))


class FM(nn.Module):
    """Logit of a row: its weights, and the products of all pairs of its fields.

    Args:
        fields: The features.
        factors: Length d of their vectors.
    """

    def __init__(self, fields: Fields, *, factors: int) -> None:
        super().__init__()
        self.embedded = Embedded(fields, factors)

    def forward(self, rows: Rows) -> torch.Tensor:
        """Logits, shape (n,)."""
        return self.embedded.linear(rows) + pairwise(self.embedded.fields(rows))


def click_loss(network: nn.Module, rows: Rows) -> torch.Tensor:
    """Mean binary cross-entropy of some rows."""
    return F.binary_cross_entropy_with_logits(network(rows).float(), rows.labels)


def batches(
    fields: Fields, users: np.ndarray, items: np.ndarray, labels: np.ndarray, rng: np.random.Generator, size: int
) -> Iterator[Rows]:
    """All rows once, in random order."""
    order = rng.permutation(len(labels))
    for start in range(0, len(order), size):
        at = order[start : start + size]
        yield rows_of(fields, users[at], items[at], labels[at])


def logits(network: nn.Module, fields: Fields, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Logits of pairs, float32, shape (n,)."""
    device, found = next(network.parameters()).device, []
    with torch.inference_mode():
        for start in range(0, len(users), _ROWS):
            at = slice(start, start + _ROWS)
            rows = rows_of(fields, users[at], items[at], np.zeros(len(users[at])))
            found.append(network(rows.to(device)).float().cpu().numpy())
    return np.concatenate(found) if found else np.empty(0, np.float32)


def attributions(network: nn.Module, fields: Fields, user: int, item: int) -> np.ndarray:
    """What each column of a pair adds to its logit, by integrated gradients from a row without features, float64."""
    row = rows_of(fields, np.array([user]), np.array([item]), np.zeros(1))
    points, weights = np.polynomial.legendre.leggauss(32)
    steps = torch.from_numpy(((points + 1) / 2).astype(np.float32))
    values = (steps[:, None] * row.values).requires_grad_()
    rows = Rows(codes=row.codes.expand(len(steps), -1), values=values, labels=torch.zeros(len(steps)))
    slopes = torch.autograd.grad(network(rows).sum(), values)[0]
    mean = torch.from_numpy((weights / 2).astype(np.float32)) @ slopes
    return (mean * row.values[0]).numpy().astype(np.float64)
