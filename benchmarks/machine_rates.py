"""What this machine does in a second: the rates that floors are made of, each by a loop of nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import numba
import numpy as np

__all__ = ["UNITS", "rates"]

UNITS: Final = {
    "bytes": "bytes read in order from memory",
    "additions": "additions to places of a row of 4,096 numbers, at random",
    "lookups": "numbers read from a table of 27,000, at random",
    "words": "words of 64 bits compared, and their common ones counted, in the first-level cache",
    "draws": "random numbers of 16 bits",
    "products": "multiplications added to 500 sums that stay in the first-level cache",
    "logarithms": "logarithms",
    "flops": "multiplications and additions of the product of two float32 matrices of 2,048",
}
"""What is counted, in the order it is shown."""

_fast: Final = numba.njit(nogil=True, error_model="numpy")


@_fast
def _add(row: Any, places: Any, cells: Any) -> None:
    for at in range(len(places)):
        row[np.uint32(places[at])] += np.float32(0.5) * cells[at]


@_fast
def _look_up(table: Any, places: Any) -> Any:
    found = 0
    for at in range(len(places)):
        found += table[np.uint32(places[at])]
    return found


@_fast
def _ones(x: Any) -> Any:
    x -= (x >> np.uint64(1)) & np.uint64(0x5555555555555555)
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (x * np.uint64(0x0101010101010101)) >> np.uint64(56)


@_fast
def _count_common(bits: Any, counts: Any) -> None:
    for row in range(len(bits)):
        one = bits[row]
        for other in range(0, len(bits), 4):
            a, b, c, d = bits[other], bits[other + 1], bits[other + 2], bits[other + 3]
            n0 = n1 = n2 = n3 = np.uint64(0)
            for at in range(len(one)):
                n0 += _ones(one[at] & a[at])
                n1 += _ones(one[at] & b[at])
                n2 += _ones(one[at] & c[at])
                n3 += _ones(one[at] & d[at])
            counts[row, other] = n0 + n1 + n2 + n3


@_fast
def _draw(words: Any, rows: int) -> None:
    for row in range(rows):
        for at in range(len(words)):
            word = np.uint64(row) + np.uint64(at) * np.uint64(0x9E3779B97F4A7C15)
            word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            words[at] = word ^ (word >> np.uint64(31))


@_fast
def _multiply(sums: Any, weights: Any, values: Any) -> None:
    for value in values:
        for at in range(len(sums)):
            sums[at] += value * weights[at]


@_fast
def _logarithms(values: Any) -> Any:
    found = 0.0
    for value in values:
        found += np.log(value)
    return found


def _best(step: Callable[[], Any], operations: float) -> float:
    """Operations in a second of the processor, in the best of nine turns after a first one that compiles."""
    step()
    found = []
    for _ in range(9):
        began = time.process_time()
        step()
        found.append(time.process_time() - began)
    return operations / min(found)


def rates() -> dict[str, float]:
    """Operations in a second of the processor, by the names of ``UNITS``."""
    rng = np.random.default_rng(0)
    numbers = rng.random(16_000_000)
    places = rng.integers(0, 4096, 4_000_000).astype(np.int32)
    far = rng.integers(0, 27_000, 4_000_000).astype(np.int32)
    table, row = rng.integers(0, 9, 27_000).astype(np.int32), np.zeros(4096, np.float32)
    cells = rng.random(len(places)).astype(np.float32)
    bits, counts = rng.integers(0, 2**63, (16, 256), dtype=np.uint64), np.zeros((16, 16), np.uint64)
    words, sums, weights = np.empty(1000, np.uint64), np.zeros(500), rng.random(500)
    square = rng.random((2048, 2048)).astype(np.float32)

    return {
        "bytes": _best(numbers.max, numbers.nbytes),
        "additions": _best(lambda: _add(row, places, cells), len(places)),
        "lookups": _best(lambda: _look_up(table, far), len(far)),
        "words": _best(lambda: [_count_common(bits, counts) for _ in range(200)], 200 * 16 * bits.size),
        "draws": _best(lambda: _draw(words, 5000), 4 * 5000 * len(words)),
        "products": _best(lambda: _multiply(sums, weights, numbers[:10_000]), 10_000 * len(sums)),
        "logarithms": _best(lambda: _logarithms(numbers[:1_000_000]), 1e6),
        "flops": _best(lambda: square @ square, 2 * len(square) ** 3),
    }
