"""Dot products that are bitwise equal for any batch size.

BLAS sums in another order for few rows than for many: the scores of a user, and their list in a tie, would depend on
the other users of the request. Here a product is defined to the last bit: float32, summed in the order of the factors,
without fused operations. The loops below are compiled without permission to reorder.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from reclens.kernels import kernel

__all__ = ["dot_pairs", "dot_rows"]

_TILE: Final = 1024


@kernel("void(float32[:,::1], float32[:,::1], float32[:,::1])")
def dot_rows(vectors: Any, columns: Any, out: Any) -> None:
    """The products of some vectors, shape (n, d), with all columns of a table, shape (d, items), into ``out``."""
    d, m = columns.shape
    line = np.empty(_TILE, np.float32)
    for start in range(0, m, _TILE):
        stop = min(start + _TILE, m)
        for at in range(len(vectors)):
            x = vectors[at]
            for j in range(_TILE):
                line[j] = 0
            for f in range(0, d - d % 4, 4):  # four factors per pass, in order
                first, second = columns[f, start:stop], columns[f + 1, start:stop]
                third, fourth = columns[f + 2, start:stop], columns[f + 3, start:stop]
                for j in range(len(first)):
                    two = (line[j] + x[f] * first[j]) + x[f + 1] * second[j]
                    line[j] = (two + x[f + 2] * third[j]) + x[f + 3] * fourth[j]
            for f in range(d - d % 4, d):
                first = columns[f, start:stop]
                for j in range(len(first)):
                    line[j] += x[f] * first[j]
            row = out[at, start:stop]
            for j in range(len(row)):
                row[j] = line[j]


@kernel("void(float32[:,::1], float32[:,::1], int32[:,::1], float32[:,::1])")
def dot_pairs(vectors: Any, items: Any, codes: Any, out: Any) -> None:
    """Dot products of each vector with its own items: ``codes`` has shape (n, c); -1 is skipped."""
    for at in range(len(vectors)):
        for place in range(codes.shape[1]):
            code = codes[at, place]
            if code >= 0:
                total = np.float32(0)
                for f in range(vectors.shape[1]):
                    total += vectors[at, f] * items[code, f]
                out[at, place] = total
