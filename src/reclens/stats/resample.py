"""Random weights of units from a counter-based generator, and weighted sums.

A weight depends on (seed, key of the unit, number of the draw) and on nothing else, so that any machine draws the same
weights for the same unit, in any order and on any number of threads. The generator is splitmix64, one stream a unit
(Steele, Lea, Flood 2014, Fast splittable pseudorandom number generators); each 64-bit word gives four 16-bit numbers.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from reclens.engine import LocalEngine, chunk_ranges
from reclens.hashing import mix64
from reclens.kernels import kernel
from reclens.memory import require_memory

__all__ = ["POISSON", "SIGN", "block_units", "power_sums", "thin_scheme", "unit_weights", "weighted_sums"]

# P(X > t) of the Poisson distribution with mean 1, times 65,536, rounded. The rounded mean is exactly 1 and the
# variance 0.99997; weights above 8 (probability 1e-6) do not occur.
_POISSON_TAILS = (41427, 17317, 5263, 1244, 240, 39, 5, 1)
_NUMBERS = np.arange(65536)

POISSON: Final = (_NUMBERS[:, None] >= 65536 - np.array(_POISSON_TAILS)).sum(axis=1).astype(np.float64)
"""Weight of each 16-bit number under the Poisson bootstrap, shape (65536,)."""

SIGN: Final = np.where(_NUMBERS < 32768, -1.0, 1.0)
"""Weight of each 16-bit number under random sign flips, shape (65536,)."""

_DRAWS_A_TASK = 500  # 500 doubles a column: the accumulators of a dozen columns stay in the second-level cache


def thin_scheme(share: float) -> np.ndarray:
    """Weight of each 16-bit number for a random share of the units, 0 or 1 each.

    >>> float(thin_scheme(0.25).mean())
    0.25
    """
    return np.where(round(65536 * share) > _NUMBERS, 1.0, 0.0)


def block_units(targets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort units into blocks with the same targets.

    Args:
        targets: Targets of each unit, -1 for none, shape (n, t).

    Returns:
        The order of the units, shape (n,); the first unit of each block and the end, shape (blocks + 1,); the targets
        of each block, shape (blocks, t).
    """
    code = np.zeros(len(targets), np.int64)
    for column in targets.T:  # one number a distinct row, kept dense so that it cannot overflow
        code = code * (int(column.max(initial=-1)) + 2) + column + 1
        code = np.unique(code, return_inverse=True)[1]
    order = np.argsort(code, kind="stable")
    starts = np.searchsorted(code[order], np.arange(code.max(initial=-1) + 2))
    return order, starts, targets[order[starts[:-1]]]


def power_sums(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Σ value, Σ value² and Σ value³ of each column over each block of units.

    Args:
        values: Values of each unit, shape (n, columns).
        starts: First unit of each block and the end, shape (blocks + 1,).

    Returns:
        float64 array, shape (blocks, 3, columns).
    """
    out = np.zeros((len(starts) - 1, 3, values.shape[1]))
    _power_sums(np.ascontiguousarray(values, np.float64), np.ascontiguousarray(starts, np.int64), out)
    return out


def weighted_sums(
    keys: np.ndarray,
    values: np.ndarray,
    starts: np.ndarray,
    targets: np.ndarray,
    *,
    n_targets: int,
    draws: int,
    seed: int,
    scheme: np.ndarray,
    threads: int | None = None,
) -> np.ndarray:
    """Σ weight × value over the units of each target, for each draw.

    Units come sorted into blocks; a block is summed once and then added to each of its targets, so that the cost does
    not grow with the number of segmentations.

    Args:
        keys: Key of each unit, uint64, shape (n,).
        values: Values of each unit, shape (n, columns); no NaN.
        starts: First unit of each block and the end, shape (blocks + 1,).
        targets: Targets each block is added to, -1 for none, shape (blocks, t).
        n_targets: Number of targets.
        draws: Number of draws, B.
        seed: Seed of the weights.
        scheme: ``POISSON`` or ``SIGN``: weights that do not fall with the number.
        threads: Threads to use; the result does not depend on it.

    Returns:
        float64 array, shape (n_targets, columns, B).
    """
    require_memory(
        8 * n_targets * values.shape[1] * draws,
        f"{draws:,} draws of {values.shape[1]:,} sums in {n_targets:,} segments",
        advice="Use fewer draws, metrics or segments.",
    )
    out = np.zeros((n_targets, values.shape[1], draws))
    if not len(keys) or not draws:
        return out
    bases = _bases(keys, seed)
    low, high = scheme[0], scheme[-1]
    rise = int(np.argmax(scheme)) if ((scheme == low) | (scheme == high)).all() else 0
    table = np.ascontiguousarray(values, np.float64)
    bounds = np.ascontiguousarray(starts, np.int64)
    cells = np.ascontiguousarray(targets, np.int32)

    def task(part: range) -> None:
        _weighted_sums(bases, table, bounds, cells, part.start, part.stop, scheme, rise, out)

    # Each task owns its draws, so that no two write to one place and the order of sums is fixed.
    for _ in LocalEngine(threads).map(task, chunk_ranges(draws, _DRAWS_A_TASK)):
        pass
    return out


def unit_weights(keys: np.ndarray, draws: range, *, seed: int, scheme: np.ndarray) -> np.ndarray:
    """The weights of :func:`weighted_sums`, for other sums than those over columns.

    Args:
        keys: Key of each unit, uint64, shape (n,).
        draws: Which draws, starting at a multiple of 4.
        seed: Seed of the weights.
        scheme: ``POISSON`` or ``SIGN``.

    Returns:
        float64 array, shape (n, draws).
    """
    words = np.arange(draws.start // 4, (draws.stop + 3) // 4, dtype=np.uint64) + np.uint64(1)
    mixed = mix64(_bases(keys, seed))[:, None] + words * np.uint64(0x9E3779B97F4A7C15)
    numbers = np.ascontiguousarray(mix64(mixed)).view(np.uint16)
    return scheme[numbers[:, : len(draws)]]


def _bases(keys: np.ndarray, seed: int) -> np.ndarray:
    return keys.astype(np.uint64) ^ mix64(np.array([seed % 2**64], np.uint64))


@kernel("void(uint64[::1], int64, float64[::1], int64, uint64[::1], float64[:,::1])")
def _draw(bases: Any, first: int, scheme: Any, rise: int, words: Any, weights: Any) -> None:
    """The weights of some units from the draw ``first`` on, a row each; ``words`` is a work array."""
    m1, m2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
    step = np.uint64(0x9E3779B97F4A7C15)
    a, b, c = np.uint64(30), np.uint64(27), np.uint64(31)
    numbers, low, high = words.view(np.uint16), scheme[0], scheme[-1]
    for unit in range(len(bases)):
        base, row = bases[unit], weights[unit]
        base = (base ^ (base >> a)) * m1
        base = (base ^ (base >> b)) * m2
        base = base ^ (base >> c)
        for i in range(len(words)):
            word = base + np.uint64(first // 4 + i + 1) * step
            word = (word ^ (word >> a)) * m1
            word = (word ^ (word >> b)) * m2
            words[i] = word ^ (word >> c)
        # Two weights are told apart by one comparison, which fills vector registers: reading the table would take
        # longer than the sums of two columns. More than two weights are read from the table.
        if rise:
            for i in range(len(row)):
                row[i] = high if numbers[i] >= rise else low
        else:
            for i in range(len(row)):
                row[i] = scheme[numbers[i]]


@kernel(
    "void(uint64[::1], float64[:,::1], int64[::1], int32[:,::1], int64, int64, float64[::1], int64, float64[:,:,::1])"
)
def _weighted_sums(
    bases: Any, values: Any, starts: Any, targets: Any, first: int, stop: int, scheme: Any, rise: int, out: Any
) -> None:
    size, n_columns = stop - first, values.shape[1]
    sums, words = np.zeros((n_columns, size)), np.empty((size + 3) // 4, np.uint64)
    # Four units at a time: the sums of many columns, which are read and written for each time, fill the first cache.
    weights, v = np.zeros((4, size)), np.zeros(4)
    w0, w1, w2, w3 = weights[0], weights[1], weights[2], weights[3]
    for block in range(len(starts) - 1):
        sums[:, :] = 0.0
        for unit in range(starts[block], starts[block + 1], 4):
            held = min(4, starts[block + 1] - unit)
            _draw(bases[unit : unit + held], first, scheme, rise, words, weights)
            for column in range(n_columns):
                for at in range(4):
                    v[at] = values[unit + at, column] if at < held else 0.0
                v0, v1, v2, v3 = v[0], v[1], v[2], v[3]
                if v0 != 0.0 or v1 != 0.0 or v2 != 0.0 or v3 != 0.0:
                    total = sums[column]
                    for i in range(size):
                        total[i] = total[i] + v0 * w0[i] + v1 * w1[i] + v2 * w2[i] + v3 * w3[i]
        for t in range(targets.shape[1]):
            target = targets[block, t]
            if target >= 0:
                for column in range(n_columns):
                    for i in range(size):
                        out[target, column, first + i] += sums[column, i]


@kernel("void(float64[:,::1], int64[::1], float64[:,:,::1])")
def _power_sums(values: Any, starts: Any, out: Any) -> None:
    for block in range(len(starts) - 1):
        for unit in range(starts[block], starts[block + 1]):
            for column in range(values.shape[1]):
                value = values[unit, column]
                square = value * value
                out[block, 0, column] += value
                out[block, 1, column] += square
                out[block, 2, column] += square * value
