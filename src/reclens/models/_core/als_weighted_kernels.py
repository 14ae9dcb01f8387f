"""Compiled loops of alternating least squares with a weight per observed pair."""

from __future__ import annotations

from typing import Any

import numpy as np

from reclens.kernels import kernel
from reclens.models._core.als_kernels import conjugate_step, first_direction, solve_in_place

__all__ = ["approach_weighted_rows", "solve_weighted_rows"]


@kernel(
    "void(int32[::1], float32[::1], float32[:,::1], float32[:,::1], float32, float32[::1], float32, float32[::1])",
    fast=True,
)
def _apply(partners: Any, weights: Any, factors: Any, gram: Any, penalty: Any, x: Any, aim: Any, out: Any) -> None:
    """Write (G + λ I) x + Σ w (y·x - aim) y."""
    d = len(x)
    for f in range(d):
        out[f] = penalty * x[f]
    for i in range(d):
        row, at = gram[i], x[i]
        for f in range(d):
            out[f] += at * row[f]
    for k in range(len(partners)):
        own, miss = factors[partners[k]], -aim
        for f in range(d):
            miss += own[f] * x[f]
        miss *= weights[k]
        for f in range(d):
            out[f] += miss * own[f]


@kernel(
    "void(int64[::1], int64[::1], int32[::1], float32[::1], float32[:,::1], float32[:,::1], float32[::1], int64, "
    "float32[:,::1])",
    fast=True,
)
def approach_weighted_rows(
    rows: Any,
    indptr: Any,
    indices: Any,
    weights: Any,
    factors: Any,
    gram: Any,
    penalties: Any,
    steps: Any,
    out: Any,
) -> None:
    """Improve ``out`` towards the solution of :func:`solve_weighted_rows` by some steps of conjugate gradients."""
    d = factors.shape[1]
    residual, way, image = np.empty(d, np.float32), np.empty(d, np.float32), np.empty(d, np.float32)
    for at in range(len(rows)):
        begin, end = indptr[rows[at]], indptr[rows[at] + 1]
        partners, own = indices[begin:end], weights[begin:end]
        x = out[at]
        _apply(partners, own, factors, gram, penalties[at], x, np.float32(1), image)
        square = first_direction(image, residual, way)
        for _ in range(steps):
            if square < 1e-20:
                break
            _apply(partners, own, factors, gram, penalties[at], way, np.float32(0), image)
            square = conjugate_step(square, x, residual, way, image)


@kernel(
    "int64(int64[::1], int64[::1], int32[::1], float32[::1], float32[:,::1], float32[:,::1], float32[::1], "
    "float32[:,::1])"
)
def solve_weighted_rows(
    rows: Any, indptr: Any, indices: Any, weights: Any, factors: Any, gram: Any, penalties: Any, out: Any
) -> Any:
    """Solve (G + Σ w y yᵀ + λ I) x = Σ w y for some rows of a sparse matrix; Σ runs over the vectors y of partners.

    The arguments are those of :func:`~reclens.models._core.als_kernels.solve_rows`, and the weight of each cell.

    Returns:
        Number of systems that were not positive definite; their rows of ``out`` are not valid.
    """
    d = factors.shape[1]
    system = np.empty((d, d), np.float32)
    failed = 0
    for at in range(len(rows)):
        x = out[at]
        for i in range(d):
            x[i] = 0
            for j in range(i + 1):
                system[i, j] = gram[i, j]
            system[i, i] += penalties[at]
        for cell in range(indptr[rows[at]], indptr[rows[at] + 1]):
            own, weight = factors[indices[cell]], weights[cell]
            for i in range(d):
                scaled = weight * own[i]
                x[i] += scaled
                for j in range(i + 1):
                    system[i, j] += scaled * own[j]
        failed += not solve_in_place(system, x)
    return failed
