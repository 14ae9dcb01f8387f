"""Compiled loops of alternating least squares: one small symmetric system per row, solved exactly or by iteration."""

from __future__ import annotations

from typing import Any

import numpy as np

from reclens.kernels import kernel

__all__ = ["approach_rows", "conjugate_step", "first_direction", "solve_in_place", "solve_rows"]


@kernel("void(int32[::1], float32[:,::1], float32[:,::1], float32, float32[::1], float32, float32[::1])", fast=True)
def _apply(partners: Any, factors: Any, gram: Any, penalty: Any, x: Any, aim: Any, out: Any) -> None:
    """Write (G + λ I) x + Σ (y·x - aim) y to ``out``, four vectors at a time."""
    d, n = len(x), len(partners)
    for f in range(d):
        out[f] = penalty * x[f]
    for i in range(d):
        row, at = gram[i], x[i]
        for f in range(d):
            out[f] += at * row[f]
    for k in range(0, n - n % 4, 4):
        a, b = factors[partners[k]], factors[partners[k + 1]]
        c, e = factors[partners[k + 2]], factors[partners[k + 3]]
        ax = bx = cx = ex = -aim
        for f in range(d):
            ax += a[f] * x[f]
            bx += b[f] * x[f]
            cx += c[f] * x[f]
            ex += e[f] * x[f]
        for f in range(d):
            out[f] += ax * a[f] + bx * b[f] + cx * c[f] + ex * e[f]
    for k in range(n - n % 4, n):
        a, ax = factors[partners[k]], -aim
        for f in range(d):
            ax += a[f] * x[f]
        for f in range(d):
            out[f] += ax * a[f]


@kernel("float32(float32[::1], float32[::1], float32[::1])", fast=True)
def first_direction(image: Any, residual: Any, way: Any) -> Any:
    """Begin conjugate gradients in the direction of the residual, minus ``image``; returns its squared length."""
    square = np.float32(0)
    for f in range(len(image)):
        residual[f] = way[f] = -image[f]
        square += image[f] * image[f]
    return square


@kernel("float32(float32, float32[::1], float32[::1], float32[::1], float32[::1])", fast=True)
def conjugate_step(square: Any, x: Any, residual: Any, way: Any, image: Any) -> Any:
    """One step of conjugate gradients along ``way``, whose product with the matrix is ``image``.

    Returns:
        The squared length of the residual, as ``square`` is before the step.
    """
    bend = np.float32(0)
    for f in range(len(x)):
        bend += way[f] * image[f]
    length, after = square / bend, np.float32(0)
    for f in range(len(x)):
        x[f] += length * way[f]
        residual[f] -= length * image[f]
        after += residual[f] * residual[f]
    for f in range(len(x)):
        way[f] = residual[f] + after / square * way[f]
    return after


@kernel(
    "void(int64[::1], int64[::1], int32[::1], float32[:,::1], float32[:,::1], float32[::1], int64, float32[:,::1])",
    fast=True,
)
def approach_rows(
    rows: Any, indptr: Any, indices: Any, factors: Any, gram: Any, penalties: Any, steps: Any, out: Any
) -> None:
    """Improve ``out`` towards the solution of :func:`solve_rows` by some steps of conjugate gradients."""
    d = factors.shape[1]
    residual, way, image = np.empty(d, np.float32), np.empty(d, np.float32), np.empty(d, np.float32)
    for at in range(len(rows)):
        partners = indices[indptr[rows[at]] : indptr[rows[at] + 1]]
        x = out[at]
        _apply(partners, factors, gram, penalties[at], x, np.float32(1), image)
        square = first_direction(image, residual, way)
        for _ in range(steps):
            if square < 1e-20:
                break
            _apply(partners, factors, gram, penalties[at], way, np.float32(0), image)
            square = conjugate_step(square, x, residual, way, image)


@kernel("boolean(float32[:,::1], float32[::1])", fast=True)
def solve_in_place(system: Any, x: Any) -> Any:
    """Solve in place by Cholesky; ``x`` holds the right-hand side. Returns whether the matrix was positive definite."""
    d = len(x)
    for i in range(d):
        row = system[i]
        for j in range(i + 1):
            other, dot = system[j], np.float32(0)
            for k in range(j):
                dot += row[k] * other[k]
            if j < i:
                row[j] = (row[j] - dot) / other[j]
            elif row[i] - dot > 0:
                row[i] = np.sqrt(row[i] - dot)
            else:
                return False
        dot = np.float32(0)
        for k in range(i):
            dot += row[k] * x[k]
        x[i] = (x[i] - dot) / row[i]
    for i in range(d - 1, -1, -1):
        row = system[i]
        x[i] /= row[i]
        for k in range(i):
            x[k] -= x[i] * row[k]
    return True


@kernel("int64(int64[::1], int64[::1], int32[::1], float32[:,::1], float32[:,::1], float32[::1], float32[:,::1])")
def solve_rows(rows: Any, indptr: Any, indices: Any, factors: Any, gram: Any, penalties: Any, out: Any) -> Any:
    """Solve (G + Σ y yᵀ + λ I) x = Σ y for some rows of a sparse matrix; Σ runs over the vectors y of their partners.

    Args:
        rows: Rows to solve; out is written by their place in this array.
        indptr: Of the sparse matrix.
        indices: Of the sparse matrix.
        factors: The partners, shape (partners, d).
        gram: G, shape (d, d); its lower triangle is read.
        penalties: λ of each row of ``rows``.
        out: The solutions, shape (rows, d).

    Returns:
        Number of systems that were not positive definite; their rows of ``out`` are not valid.
    """
    d = factors.shape[1]
    system, four = np.empty((d, d), np.float32), np.empty((4, d), np.float32)
    a, b, c, e = four[0], four[1], four[2], four[3]
    failed = 0
    for at in range(len(rows)):
        x = out[at]
        for i in range(d):
            x[i] = 0
            for j in range(i + 1):
                system[i, j] = gram[i, j]
            system[i, i] += penalties[at]
        begin, end = indptr[rows[at]], indptr[rows[at] + 1]
        for start in range(begin, end, 4):  # four vectors per pass over the matrix, padded with zeros
            for k in range(4):
                for f in range(d):
                    four[k, f] = factors[indices[start + k], f] if start + k < end else np.float32(0)
            for i in range(d):
                row, ai, bi, ci, ei = system[i], a[i], b[i], c[i], e[i]
                x[i] += ai + bi + ci + ei
                for j in range(i + 1):
                    row[j] += ai * a[j] + bi * b[j] + ci * c[j] + ei * e[j]
        failed += not solve_in_place(system, x)
    return failed
