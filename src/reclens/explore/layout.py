"""The layout of UMAP: weights of the pairs of neighbours, and rounds of attraction and repulsion on compiled loops."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np

from reclens.engine import LocalEngine, Progress, chunk_ranges, quiet
from reclens.explore.neighbours import NeighbourGraph
from reclens.kernels import kernel

__all__ = ["lay_out", "pair_weights"]

_NEGATIVES: Final = 5
"""Points that repel for each pair that attracts: the default of McInnes, Healy and Melville."""
_HALVINGS: Final = 48
_SPREAD: Final = 1.0
_SMALLEST_SCALE: Final = 1e-3
_ROWS: Final = 2_048
"""Points of a chunk."""
_TOLD: Final = 20
"""Rounds between two messages about progress."""

_LOWEST, _HIGHEST = -20, 16
_STEP_BITS: Final = 6
_STEPS: Final = 1 << _STEP_BITS
_SHIFT: Final = 23 - _STEP_BITS
_FIRST: Final = (127 + _LOWEST) << _STEP_BITS
"""The forces are tabulated by squared distance, from 2**-20 to 2**16, in 64 steps per power of two. The exponent and
the leading bits of a float32 are then the index of its entry, and no power has to be computed."""


def pair_weights(graph: NeighbourGraph) -> Any:
    """Weights of pairs of neighbours (the fuzzy simplicial set of UMAP).

    The nearest neighbour of a point has the weight 1, and the weights of all k sum to log2(k + 1). A pair has the
    weight a + b - ab of its two directed weights.

    Args:
        graph: Neighbours by cosine; the distance is 1 - cosine.

    Returns:
        Symmetric sparse matrix (CSR), shape (n, n), float64.

    References:
        McInnes, Healy and Melville (2018), UMAP: uniform manifold approximation and projection, section 3.1.
    """
    from scipy import sparse

    n, k = graph.rows.shape
    known = graph.rows >= 0
    apart = np.where(known, np.maximum(1 - np.nan_to_num(graph.similarities).astype(np.float64), 0), np.inf)
    nearest = np.where(apart > 0, apart, np.inf).min(axis=1, keepdims=True)
    beyond = np.maximum(apart - np.where(np.isfinite(nearest), nearest, 0), 0)
    mean = np.where(known, apart, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    scale = np.maximum(_scales(beyond, float(np.log2(k + 1))), _SMALLEST_SCALE * mean)
    weights = np.exp(-beyond / np.maximum(scale, np.finfo(float).tiny)[:, None])
    row = np.repeat(np.arange(n), known.sum(axis=1))
    directed = sparse.csr_matrix((weights[known], (row, graph.rows[known])), shape=(n, n))
    return (directed + directed.T - directed.multiply(directed.T)).tocsr()


def _scales(beyond: np.ndarray, target: float) -> np.ndarray:
    """The scale of each point with which exp(-beyond / scale) sums to the target, by bisection."""
    low, high, scale = np.zeros(len(beyond)), np.full(len(beyond), np.inf), np.ones(len(beyond))
    for _ in range(_HALVINGS):
        above = np.exp(-beyond / scale[:, None]).sum(axis=1) > target
        high, low = np.where(above, scale, high), np.where(above, low, scale)
        scale = np.where(np.isinf(high), scale * 2, (low + high) / 2)
    return scale


@cache
def _curve(min_distance: float) -> tuple[float, float]:
    """Fit a and b of 1 / (1 + a d^2b) to 1 up to the minimum distance and exponential decay beyond."""
    from scipy.optimize import curve_fit

    distances = np.linspace(0, 3 * _SPREAD, 300)
    wanted = np.where(distances < min_distance, 1.0, np.exp(-(distances - min_distance) / _SPREAD))
    (a, b), _ = curve_fit(lambda d, a, b: 1 / (1 + a * d ** (2 * b)), distances, wanted)
    return float(a), float(b)


def _forces(min_distance: float) -> np.ndarray:
    """Attraction and repulsion by squared distance, shape (2, m), as multiples of the difference of two points."""
    a, b = _curve(min_distance)
    exponents = np.repeat(np.arange(_LOWEST, _HIGHEST), _STEPS)
    mantissas = np.tile(1 + (np.arange(_STEPS) + 0.5) / _STEPS, _HIGHEST - _LOWEST)
    squared = mantissas * 2.0**exponents
    power = squared**b
    attraction = -2 * a * b * power / squared / (1 + a * power)
    # The small constant of the paper keeps the force finite where two points coincide.
    repulsion = 2 * b / ((1e-3 + squared) * (1 + a * power))
    return np.stack([attraction, repulsion]).astype(np.float32)


@kernel(
    "void(int64, int64, float32[:,::1], float32[:,::1], int64[::1], int32[::1], float32[::1], float32[::1],"
    " float32[:,::1], float32, float32, uint64)",
    fast=True,
)
def _one_round(
    start: Any,
    stop: Any,
    old: Any,
    new: Any,
    begins: Any,
    partners: Any,
    periods: Any,
    due: Any,
    forces: Any,
    rate: Any,
    now: Any,
    seed: Any,
) -> None:
    n, last, most = len(old), forces.shape[1] - 1, np.float32(4)
    for point in range(start, stop):
        x, y = old[point, 0], old[point, 1]
        # SplitMix64 makes the state of each point, and a linear congruential generator the draws from it.
        state = seed + np.uint64(point) * np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
        for pair in range(begins[point], begins[point + 1]):
            if due[pair] > now:
                continue
            due[pair] += periods[pair]
            other = np.int64(partners[pair])
            # All forces of a pair are taken at one place: a step after each would make every one wait for the last.
            dx, dy = x - old[other, 0], y - old[other, 1]
            at = (np.float32(dx * dx + dy * dy).view(np.int32) >> _SHIFT) - _FIRST
            force = forces[0, min(max(at, 0), last)]
            move_x = min(max(force * dx, -most), most)
            move_y = min(max(force * dy, -most), most)
            for _ in range(_NEGATIVES):
                state = state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
                other = np.int64(((state >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))
                dx, dy = x - old[other, 0], y - old[other, 1]
                at = (np.float32(dx * dx + dy * dy).view(np.int32) >> _SHIFT) - _FIRST
                force = forces[1, min(max(at, 0), last)]
                move_x += min(max(force * dx, -most), most)
                move_y += min(max(force * dy, -most), most)
            x += rate * move_x
            y += rate * move_y
        new[point, 0], new[point, 1] = x, y


def lay_out(
    weights: Any,
    start: np.ndarray,
    *,
    min_distance: float,
    epochs: int,
    seed: int,
    threads: int | None = None,
    progress: Progress = quiet,
) -> np.ndarray:
    """Move points by the attraction of their neighbours and the repulsion of points drawn at random.

    In each round, every point moves from where it was, and sees the others where they were before the round: the number
    of threads does not change the result. A pair is due in a share of the rounds that is its weight over the largest.

    Args:
        weights: Symmetric sparse matrix (CSR) of the weights of pairs, shape (n, n).
        start: Places at the start, shape (n, 2).
        min_distance: How near points may come.
        epochs: Rounds; the step falls from 1 to 0.
        seed: Of the draws.
        threads: How many; None for one a core. The result is the same.
        progress: Called as rounds are done.

    Returns:
        Places, shape (n, 2), float32.
    """
    largest = weights.data.max() if weights.nnz else 1.0
    pairs = weights.copy()
    pairs.data[pairs.data < largest / epochs] = 0  # due in no round
    pairs.eliminate_zeros()
    periods = (largest / pairs.data).astype(np.float32)
    begins, partners, due = pairs.indptr.astype(np.int64), pairs.indices.astype(np.int32), periods.copy()
    old = np.array(start, np.float32, order="C")
    new = old.copy()
    forces, seeds = _forces(min_distance), np.random.default_rng(seed).integers(0, 2**63, epochs, dtype=np.uint64)
    engine, chunks = LocalEngine(threads), chunk_ranges(len(old), _ROWS)
    for now in range(epochs):
        rate = np.float32(1 - now / epochs)

        def move(part: range, now: int = now, rate: np.float32 = rate, old: Any = old, new: Any = new) -> None:
            _one_round(
                part.start,
                part.stop,
                old,
                new,
                begins,
                partners,
                periods,
                due,
                forces,
                rate,
                np.float32(now + 1),
                seeds[now],
            )

        for _ in engine.map(move, chunks) if len(chunks) > 1 else map(move, chunks):
            pass
        old, new = new, old
        if now % _TOLD == 0:
            progress("UMAP", now, epochs)
    progress("UMAP", epochs, epochs)
    return old
