"""The compiled loop of alternating least squares: one small symmetric system a row, built and solved in the cache."""

from __future__ import annotations

from typing import Any

import numpy as np

from reclens.kernels import kernel

__all__ = ["PANEL", "solve_rows"]

PANEL = 256
"""Partners taken up at a time: a panel of 64 dimensions is 70 kB."""


@kernel("void(float32[:,::1], int64, int64, float32, float32[:,::1])", fast=True)
def _add_dots(table: Any, j: Any, n: Any, sign: Any, out: Any) -> None:
    """Add to columns j … j+3 of ``out`` the dot products of rows j … j+3 with all rows from j on, over n columns.

    Tile by tile of 4 × 4: sixteen sums stay in registers, eight loads for sixteen multiply-adds.
    """
    e, f, g, h = table[j, :n], table[j + 1, :n], table[j + 2, :n], table[j + 3, :n]
    for i in range(j, len(out), 4):
        a, b, c, d = table[i, :n], table[i + 1, :n], table[i + 2, :n], table[i + 3, :n]
        ae = af = ag = ah = be = bf = bg = bh = ce = cf = cg = ch = de = df = dg = dh = np.float32(0)
        for k in range(n):
            ae += a[k] * e[k]
            af += a[k] * f[k]
            ag += a[k] * g[k]
            ah += a[k] * h[k]
            be += b[k] * e[k]
            bf += b[k] * f[k]
            bg += b[k] * g[k]
            bh += b[k] * h[k]
            ce += c[k] * e[k]
            cf += c[k] * f[k]
            cg += c[k] * g[k]
            ch += c[k] * h[k]
            de += d[k] * e[k]
            df += d[k] * f[k]
            dg += d[k] * g[k]
            dh += d[k] * h[k]
        out[i, j] += sign * ae
        out[i, j + 1] += sign * af
        out[i, j + 2] += sign * ag
        out[i, j + 3] += sign * ah
        out[i + 1, j] += sign * be
        out[i + 1, j + 1] += sign * bf
        out[i + 1, j + 2] += sign * bg
        out[i + 1, j + 3] += sign * bh
        out[i + 2, j] += sign * ce
        out[i + 2, j + 1] += sign * cf
        out[i + 2, j + 2] += sign * cg
        out[i + 2, j + 3] += sign * ch
        out[i + 3, j] += sign * de
        out[i + 3, j + 1] += sign * df
        out[i + 3, j + 2] += sign * dg
        out[i + 3, j + 3] += sign * dh


@kernel("void(int32[::1], float32[:,::1], float32[:,::1])")
def _turn(partners: Any, factors: Any, panel: Any) -> None:
    """Write the factors of some partners as columns, and zeros up to the next multiple of eight."""
    n, size = len(partners), factors.shape[1]
    whole = n - n % 8
    for k in range(0, whole, 8):
        a, b = factors[partners[k]], factors[partners[k + 1]]
        c, d = factors[partners[k + 2]], factors[partners[k + 3]]
        e, f = factors[partners[k + 4]], factors[partners[k + 5]]
        g, h = factors[partners[k + 6]], factors[partners[k + 7]]
        for at in range(size):
            row = panel[at, k : k + 8]
            row[0], row[1], row[2], row[3] = a[at], b[at], c[at], d[at]
            row[4], row[5], row[6], row[7] = e[at], f[at], g[at], h[at]
    for at in range(size if whole < n else 0):
        for k in range(whole, n):
            panel[at, k] = factors[partners[k], at]
        for k in range(n, whole + 8):
            panel[at, k] = 0


@kernel("boolean(float32[:,::1], float32[:,::1], int64, float32[::1])")
def _solve(system: Any, lower: Any, size: Any, out: Any) -> Any:
    """Solve by Cholesky; the right-hand side stands in row ``size`` of the system, whose lower triangle is read.

    Factorising the system with that row appended leaves the solution of the first triangular system in it. The
    diagonal of ``lower`` is kept as its reciprocal. Returns whether the system was positive.
    """
    lower[:] = 0
    for j in range(0, len(system), 4):
        # Columns from j on are still zero in these rows, so that sums may run on to a multiple of eight.
        _add_dots(lower, j, (j + 7) // 8 * 8, np.float32(-1), system)
        for r in range(j, j + 4):
            for c in range(j, r + 1):
                value = system[r, c]
                for k in range(j, c):
                    value -= lower[r, k] * lower[c, k]
                if c < r:
                    lower[r, c] = value * lower[c, c]
                elif r < size:
                    if not value > 0:
                        return False
                    lower[r, r] = 1 / np.sqrt(value)
                else:
                    lower[r, r] = 1
        a, b, c, d = lower[j, j : j + 4], lower[j + 1, j : j + 4], lower[j + 2, j : j + 4], lower[j + 3, j : j + 4]
        for r in range(j + 4, len(system)):
            v = system[r, j] * a[0]
            w = (system[r, j + 1] - v * b[0]) * b[1]
            x = (system[r, j + 2] - v * c[0] - w * c[1]) * c[2]
            lower[r, j], lower[r, j + 1], lower[r, j + 2] = v, w, x
            lower[r, j + 3] = (system[r, j + 3] - v * d[0] - w * d[1] - x * d[2]) * d[3]
    for f in range(size - 1, -1, -1):
        x = lower[size, f] * lower[f, f]
        out[f] = x
        for k in range(f):
            lower[size, k] -= x * lower[f, k]
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
        How many systems were not positive; their rows of ``out`` are not to be used.
    """
    size = factors.shape[1]
    width = (size + 4) // 4 * 4
    panel = np.zeros((width, PANEL + 16), np.float32)
    panel[size] = 1
    system, lower = np.zeros((width, width), np.float32), np.zeros((width, width + 8), np.float32)
    failed = 0
    for at in range(len(rows)):
        begin, end = indptr[rows[at]], indptr[rows[at] + 1]
        if begin == end:
            out[at] = 0
            continue
        for i in range(size):
            for j in range(i + 1):
                system[i, j] = gram[i, j]
            system[i, i] += penalties[at]
        system[size] = 0
        for start in range(begin, end, PANEL):
            partners = indices[start : min(start + PANEL, end)]
            _turn(partners, factors, panel)
            for j in range(0, width, 4):
                _add_dots(panel, j, (len(partners) + 7) // 8 * 8, np.float32(1), system)
        failed += not _solve(system, lower, size, out[at])
    return failed
