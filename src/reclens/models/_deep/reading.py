# pyright: basic, reportMissingImports=false
"""What is done with a network of sequences: its loss, the states of users, and what speaks for an item."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from reclens.models._deep.batches import Batch, Group, Histories, group_of

__all__ = ["attention", "attributions", "last_states", "next_item_loss", "read", "rebuilt", "tensor"]

_STEPS = 128
"""Points of the integral of an explanation."""
_TOKENS, _CACHED = 100_000, 12_800
"""Events that are read at a time; on a CPU fewer, whose states its cache keeps between two layers."""


def next_item_loss(network: nn.Module, batch: Batch, criterion: Callable[..., torch.Tensor]) -> torch.Tensor:
    """The mean loss of a batch, over the real events."""
    states = torch.cat([network(group)[group.mask()] for group in batch.groups])
    return criterion(states.float(), network.items.weight.float(), batch.targets, batch.rows)


def last_states(network: nn.Module, group: Group, embedded: torch.Tensor | None = None) -> torch.Tensor:
    """The state from which the next item of each sequence is predicted, shape (n, d).

    It is the one after the last event, unless the network has ``next_states``, as BERT4Rec does.
    """
    if hasattr(network, "next_states"):
        return network.next_states(group, embedded)
    states = network(group) if embedded is None else network(group, embedded)
    return states[torch.arange(len(group.lengths), device=group.lengths.device), group.lengths - 1]


def read(
    network: nn.Module,
    histories: Histories,
    rows: np.ndarray,
    *,
    max_length: int,
    factors: int,
    until: np.ndarray | None = None,
) -> np.ndarray:
    """States of some users after their last event, float32, shape (n, d); 0 for those without an event.

    Args:
        network: In evaluation mode.
        histories: All sequences.
        rows: The users.
        max_length: Events that are read: the last ones.
        factors: The d of the states.
        until: Seconds at which the next event of each of them happens; None where the network does not ask.
    """
    lengths = np.minimum(np.diff(histories.indptr)[rows], max_length)
    vectors = np.zeros((len(rows), factors), np.float32)
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    device = next(network.parameters()).device
    size = max(1, (_CACHED if device.type == "cpu" else _TOKENS) // max_length)
    with torch.inference_mode():
        for start in range(0, len(order), size):
            some = order[start : start + size]
            later = None if until is None else until[some]
            group = group_of(histories, histories.indptr[rows[some] + 1], lengths[some], later)
            vectors[some] = last_states(network, group.to(device)).float().cpu().numpy()
    return vectors


def attributions(
    network: nn.Module,
    histories: Histories,
    row: int,
    item: int,
    *,
    max_length: int,
    until: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """What each event of a user adds to the score of an item, by integrated gradients.

    The path leads from a history whose items have the vector 0 to the history (Sundararajan, Taly, Yan 2017, Axiomatic
    attribution for deep networks; ICML). The parts add up to the difference of the two scores, up to the integral.

    Returns:
        The items, int32, and their parts, float64.
    """
    end, n = histories.indptr[row + 1], int(min(histories.indptr[row + 1] - histories.indptr[row], max_length))
    own = histories.items[end - n : end]
    lengths, ends = np.full(_STEPS, n), np.full(_STEPS, end)
    group = group_of(histories, ends, lengths, None if until is None else np.full(_STEPS, until[0]))
    points, weights = np.polynomial.legendre.leggauss(_STEPS)
    # Norms turn states quickly where the vectors are near 0: more points are taken there, at squares.
    roots = (points + 1) / 2
    points, weights = roots**2, weights * roots
    table = network.items.weight.detach()
    vectors = table[torch.from_numpy(own.astype(np.int64))]
    steps = torch.from_numpy(points.astype(np.float32))
    embedded = (steps[:, None, None] * vectors).requires_grad_()  # (steps, n, d)
    scores = last_states(network, group, embedded) @ table[item]
    slopes = torch.autograd.grad(scores.sum(), embedded)[0]
    mean = torch.einsum("s,snd->nd", torch.from_numpy(weights.astype(np.float32)), slopes)
    return own, (mean * vectors).sum(1).numpy().astype(np.float64)


def attention(network: Any, items: np.ndarray) -> np.ndarray:
    """Weights of the events of one user in each block of attention, shape (blocks, events)."""
    group = Group(items=torch.from_numpy(items.astype(np.int64))[None], lengths=torch.tensor([len(items)]))
    with torch.inference_mode():
        return network.attention(group).numpy()


def tensor(array: np.ndarray) -> torch.Tensor:
    """A tensor that shares the memory of an array."""
    return torch.from_numpy(array)


def rebuilt(make: Callable[[], nn.Module], weights: Mapping[str, np.ndarray]) -> nn.Module:
    """A network with learned weights, on the CPU, in evaluation mode."""
    with torch.random.fork_rng():
        network = make()
    network.load_state_dict({name: torch.from_numpy(each) for name, each in weights.items()})
    return network.eval()
