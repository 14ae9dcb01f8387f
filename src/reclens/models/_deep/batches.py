# pyright: basic, reportMissingImports=false
"""Batches of sequences, padded in groups of similar length.

Half of the tokens of MovieLens 1M would be padding if every sequence were padded to 200 (54 % are real). The users of a
batch are drawn at random; within it they are sorted by length and padded in groups, each to its own longest sequence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

__all__ = ["Batch", "Group", "Histories", "batches_of", "group_of"]

_GROUPS, _LEAST = 8, 16
"""Most groups of a batch, and least sequences of a group: more groups pad less, and start more operations."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Histories:
    """Sequences of users, one after another, oldest event first.

    Attributes:
        indptr: Where each sequence begins and ends; int64, shape (users + 1,).
        items: Item codes; int32, shape (events,).
        times: Seconds since 1970; float64, shape (events,); None where they are not known.
        users: Code of each user in the training data, -1 for one who is not there; int64, shape (users,); None where
            the network does not ask.
    """

    indptr: np.ndarray
    items: np.ndarray
    times: np.ndarray | None = None
    users: np.ndarray | None = None

    @cached_property
    def span(self) -> tuple[float, float]:
        """The times of the first and of the last event of all."""
        if self.times is None or not len(self.times):
            return 0.0, 0.0
        return float(self.times.min()), float(self.times.max())


@dataclass(frozen=True, eq=False, kw_only=True)
class Group:
    """Sequences padded on the right to the longest of them.

    Attributes:
        items: Item codes, 0 where padded; int64, shape (n, length).
        lengths: Real events of each sequence; int64, shape (n,).
        times: Seconds, relative to the first event of each sequence; float64, in which seconds of many years can be
            told apart; shape (n, length); None if not known.
        next_times: Seconds of the event after each one, on the same scale; None if not known.
        ages: From the event after each one to the last event of all sequences, as a share of the time that all events
            span; None if not known.
        users: Code of the user of each sequence, -1 for an unknown one; int64, shape (n,); None if not asked for.
    """

    items: torch.Tensor
    lengths: torch.Tensor
    times: torch.Tensor | None = None
    next_times: torch.Tensor | None = None
    ages: torch.Tensor | None = None
    users: torch.Tensor | None = None

    def mask(self) -> torch.Tensor:
        """Which places are real: bool, shape (n, length)."""
        return torch.arange(self.items.shape[1], device=self.items.device) < self.lengths[:, None]

    def to(self, device: torch.device) -> Group:
        """The same group on a device."""
        moved = {name: None if each is None else each.to(device) for name, each in vars(self).items()}
        return Group(**moved)


@dataclass(frozen=True, eq=False, kw_only=True)
class Batch:
    """Groups of sequences, and the next item of every real event in their order.

    Attributes:
        groups: The sequences.
        targets: The item after each real event, group by group, row by row; int64, shape (tokens,).
        rows: The sequence of each of these events, counted over the batch; int64, shape (tokens,).
    """

    groups: list[Group]
    targets: torch.Tensor
    rows: torch.Tensor

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""
        return Batch(
            groups=[group.to(device) for group in self.groups],
            targets=self.targets.to(device),
            rows=self.rows.to(device),
        )


def batches_of(
    histories: Histories, rng: np.random.Generator, *, batch_size: int, max_length: int, shifted: bool = True
) -> Iterator[Batch]:
    """One epoch: every user with two events or more, once, in random order.

    Args:
        histories: The sequences.
        rng: Draws the order.
        batch_size: Users of a batch.
        max_length: Events of a sequence that are used: the last ones, and one more as the last target.
        shifted: Whether events 1 … m - 1 of a user are the input, and events 2 … m the targets; else all of them are
            both.

    Yields:
        The batches.
    """
    step = int(shifted)
    lengths = np.minimum(np.diff(histories.indptr) - step, max_length)
    able = rng.permutation(np.flatnonzero(np.diff(histories.indptr) > 1))
    for start in range(0, len(able), batch_size):
        users = able[start : start + batch_size]
        users = users[np.argsort(lengths[users], kind="stable")]
        groups, targets, rows = [], [], []
        for part in np.array_split(np.arange(len(users)), np.clip(len(users) // _LEAST, 1, _GROUPS)):
            own = users[part]
            groups.append(group_of(histories, histories.indptr[own + 1] - step, lengths[own]))
            places = _places(histories.indptr[own + 1], lengths[own])
            real = places >= 0
            targets.append(histories.items[places[real]])
            rows.append(np.broadcast_to(part[:, None], real.shape)[real])
        yield Batch(
            groups=groups,
            targets=torch.from_numpy(np.concatenate(targets).astype(np.int64)),
            rows=torch.from_numpy(np.concatenate(rows)),
        )


def group_of(histories: Histories, ends: np.ndarray, lengths: np.ndarray, until: np.ndarray | None = None) -> Group:
    """A padded group of sequences.

    Args:
        histories: All sequences.
        ends: Behind the last event of each sequence; int64, shape (n,).
        lengths: Number of its events; int64, shape (n,).
        until: Seconds at which the event after the last one happens; float64, shape (n,). None: as in ``histories``.
    """
    places = _places(ends, lengths)
    real = places >= 0
    items = np.where(real, histories.items[places], 0).astype(np.int64)
    times = later = ages = users = None
    if histories.users is not None:
        users = histories.users[np.searchsorted(histories.indptr, ends - 1, side="right") - 1]  # whose last event it is
    if histories.times is not None:
        first = histories.times[ends - lengths][:, None]
        times = np.where(real, histories.times[places] - first, 0)
        after = histories.times[np.minimum(places + 1, len(histories.times) - 1)]
        later = np.where(real, after - first, 0)
        if until is not None:
            later[np.arange(len(ends)), lengths - 1] = until - first[:, 0]
        oldest, newest = histories.span
        ages = np.where(real, newest - first - later, 0).clip(min=0) / max(newest - oldest, 1.0)
    return Group(
        items=torch.from_numpy(items),
        lengths=torch.from_numpy(lengths.astype(np.int64)),
        times=None if times is None else torch.from_numpy(times),
        next_times=None if later is None else torch.from_numpy(later),
        ages=None if ages is None else torch.from_numpy(ages.astype(np.float32)),
        users=None if users is None else torch.from_numpy(users.astype(np.int64)),
    )


def _places(ends: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Places of events in the arrays of all sequences, -1 where padded; int64, shape (n, longest)."""
    steps = np.arange(lengths.max())
    return np.where(steps < lengths[:, None], (ends - lengths)[:, None] + steps, -1)
