"""A truncated singular value decomposition of a large matrix, reproducible on every machine with the same libraries."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from reclens.engine import LocalEngine

__all__ = ["truncated_svd"]

_MORE: Final = 16
_POWERS: Final = 6
_SMALL: Final = 400


def truncated_svd(matrix: Any, k: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The k largest singular values of a matrix and their vectors, by a randomised range finder with power iterations.

    A matrix with a side of at most 400 is decomposed exactly. The sign of a right vector is set so that its largest
    entry is positive.

    Args:
        matrix: Shape (n, m), sparse or dense; anything with ``@`` and ``.T``.
        k: Number of values, at least 1; zero singular values are omitted.
        seed: Seed of the vectors that it starts from.

    Returns:
        Left vectors, shape (n, r); singular values, falling, shape (r,); right vectors, shape (r, m); float64, r <= k.

    References:
        Halko, Martinsson, Tropp (2011), Finding structure with randomness; SIAM Review 53(2), algorithm 4.4.
    """
    # Use one thread, so that results do not depend on the number of threads.
    left, values, right = next(LocalEngine(1).map(lambda k: _decompose(matrix, k, seed), [min(k, *matrix.shape)]))
    real = values > 1e-9 * max(float(values[0]) if len(values) else 0.0, np.finfo(np.float64).tiny)
    left, values, right = left[:, real], values[real], right[real]
    signs = np.sign(right[np.arange(len(right)), np.abs(right).argmax(axis=1)])
    return left * signs, values, right * signs[:, None]


def _decompose(matrix: Any, k: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n, m = matrix.shape
    if min(n, m) <= max(_SMALL, 2 * k):
        dense = matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix)
        left, values, right = np.linalg.svd(dense.astype(np.float64), full_matrices=False)
        return left[:, :k], values[:k], right[:k]
    basis = matrix @ np.random.default_rng(seed).standard_normal((m, k + _MORE))
    for _ in range(_POWERS):
        basis, _ = np.linalg.qr(basis)
        basis, _ = np.linalg.qr(matrix.T @ basis)
        basis = matrix @ basis
    basis, _ = np.linalg.qr(basis)
    small, values, right = np.linalg.svd((matrix.T @ basis).T, full_matrices=False)
    return (basis @ small)[:, :k], values[:k], right[:k]
