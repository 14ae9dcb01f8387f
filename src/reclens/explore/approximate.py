"""The approximate index of many vectors: FAISS' inverted lists with 8-bit scalar quantisation.

If every list is probed, the search is exhaustive and nothing is unreachable, unlike in a graph. The number of probed
lists is chosen by measurement.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from reclens.engine import Progress, need, quiet
from reclens.errors import UsageError
from reclens.explore.exact import top_k
from reclens.explore.vectors import unit_vectors
from reclens.stats.estimate import Estimate

__all__ = ["ApproximateIndex", "IndexPlan", "measure_recall", "recalls", "sample_queries"]

_MORE: Final = 3
"""Candidates for each one that is wanted: their cosines are taken exactly, which mends the order that 8 bits give."""
_SAMPLE: Final = 512
_TRAINING: Final = 40
"""Vectors for each list that its centre is learned from."""


@dataclass(frozen=True, kw_only=True)
class IndexPlan:
    """The parameters of an index, and its measured recall.

    Attributes:
        lists: Number of lists.
        probes: Number of lists probed per query.
        target: The required recall.
        recall: The recall on queries that the choice did not see, against exact search, with its 95 % interval.
        k: Cutoff of the recall.
        rows: Number of vectors.
        library: Version of FAISS.
    """

    lists: int
    probes: int
    target: float
    recall: Estimate
    k: int
    rows: int
    library: str

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> IndexPlan:
        """Create from the result of :meth:`to_dict`."""
        recall: dict[str, Any] = told["recall"]
        plain: dict[str, Any] = {name: value for name, value in told.items() if name != "recall"}
        return cls(recall=Estimate(**recall), **plain)


class ApproximateIndex:
    """An index of vectors of length 1, in a file.

    Args:
        faiss_index: The FAISS index.
        plan: Parameters of the index.
        vectors: The vectors themselves, shape (n, d), float32: the truth.
    """

    def __init__(self, faiss_index: Any, plan: IndexPlan, vectors: np.ndarray) -> None:
        self._index, self.plan, self._vectors = faiss_index, plan, vectors

    @classmethod
    def build(
        cls,
        vectors: np.ndarray,
        *,
        target: float = 0.95,
        k: int = 10,
        queries: np.ndarray | None = None,
        seed: int = 0,
        progress: Progress = quiet,
    ) -> ApproximateIndex:
        """Learn the lists, and choose how many are probed.

        Args:
            vectors: Shape (n, d), float32, of length 1.
            target: The recall at ``k`` whose lower bound of 95 % has to be reached on a sample.
            k: See ``target``.
            queries: Queries of the kind that will be asked, shape (q, d); half of them choose, half of them measure.
                None makes some: means of two near vectors, as the mean of a user's items is.
            seed: Seed of the sample.
            progress: Called to report progress.

        Raises:
            UsageError: If the target is not in (0, 1].
            MissingExtraError: If FAISS is not installed.
        """
        if not 0 < target <= 1:
            raise UsageError(f"the target recall is {target}, expected a number above 0 and at most 1.")
        faiss: Any = need("faiss", extra="explore")
        n, d = vectors.shape
        lists = max(int(2 ** np.round(np.log2(2.3 * np.sqrt(n)))), 1)
        quantizer = faiss.IndexFlatIP(d)
        index = faiss.IndexIVFScalarQuantizer(
            quantizer, d, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT, False
        )
        index.cp.seed, index.cp.niter = seed + 1, 10
        rng = np.random.default_rng(seed)
        sample = np.sort(rng.permutation(n)[: min(n, _TRAINING * lists)])
        index.train(np.ascontiguousarray(vectors[sample]))
        progress("index: lists learned", 1, 3)
        for start in range(0, n, 65_536):
            index.add(np.ascontiguousarray(vectors[start : start + 65_536]))
        progress("index: vectors added", 2, 3)
        asked = sample_queries(vectors, 2 * _SAMPLE, k=k, seed=seed) if queries is None else unit_vectors(queries)
        made = cls(
            index,
            IndexPlan(
                lists=lists,
                probes=1,
                target=target,
                recall=Estimate(0.0, low=None, high=None, n=0),
                k=k,
                rows=n,
                library=faiss.__version__,
            ),
            vectors,
        )
        made.plan = made._chosen(asked, target, k)
        progress("index: probes chosen", 3, 3)
        return made

    def _chosen(self, queries: np.ndarray, target: float, k: int) -> IndexPlan:
        """The fewest probes whose recall reaches the target on one half of the queries; measured on the other."""
        first, second = queries[0::2], queries[1::2]
        rows, _ = top_k(first, self._vectors, k)
        low, high = 0, 1
        while high < self.plan.lists and _lower(self._recalls(first, rows, high)) < target:
            low, high = high, min(2 * high, self.plan.lists)
        while high - low > 1:
            middle = (low + high) // 2
            reached = _lower(self._recalls(first, rows, middle)) >= target
            low, high = (low, middle) if reached else (middle, high)
        recalls = self._recalls(second, top_k(second, self._vectors, k)[0], high) if len(second) else np.zeros(0)
        plan = self.plan
        return IndexPlan(
            lists=plan.lists,
            probes=high,
            target=target,
            recall=_mean(recalls),
            k=k,
            rows=plan.rows,
            library=plan.library,
        )

    def _recalls(self, queries: np.ndarray, truth: np.ndarray, probes: int) -> np.ndarray:
        found, _ = self.search(queries, truth.shape[1], probes=probes)
        return recalls(found, truth)

    def search(
        self, queries: np.ndarray, k: int, *, keep: np.ndarray | None = None, probes: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The nearest vectors that the probed lists hold, and their exact cosines.

        Args:
            queries: Shape (q, d), float32, of length 1.
            k: Number of neighbours.
            keep: Which vectors may be found, bool, shape (n,); None for all. More lists are probed if few are kept.
            probes: Lists to probe; None for those of the plan.

        Returns:
            Rows, int64, shape (q, k), -1 where there are fewer; cosines, float32, NaN there.
        """
        faiss: Any = need("faiss", extra="explore")
        wanted = self.plan.probes if probes is None else probes
        selector = None
        if keep is not None:
            share = max(float(keep.mean()), 1.0 / len(keep))
            wanted = int(np.ceil(wanted / share))
            selector = faiss.IDSelectorBitmap(np.packbits(keep, bitorder="little"))
        told = faiss.SearchParametersIVF(nprobe=min(wanted, self.plan.lists), sel=selector)
        _, rows = self._index.search(np.ascontiguousarray(queries), min(_MORE * k, self.plan.rows), params=told)
        return self._reranked(queries, rows, k)

    def _reranked(self, queries: np.ndarray, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        found = np.full((len(queries), k), -1, np.int64)
        cosines = np.full((len(queries), k), np.nan, np.float32)
        block = max(8_000_000 // max(rows.shape[1] * queries.shape[1], 1), 1)
        for start in range(0, len(queries), block):
            part = rows[start : start + block]
            near = self._vectors[np.maximum(part, 0)]
            score = np.matmul(near, queries[start : start + block, :, None])[:, :, 0]
            score[part < 0] = -np.inf
            width = min(k, part.shape[1])
            order = np.lexsort((part, -score), axis=1)[:, :width]
            best, score = np.take_along_axis(part, order, axis=1), np.take_along_axis(score, order, axis=1)
            found[start : start + block, :width] = best
            cosines[start : start + block, :width] = np.where(best < 0, np.nan, score)
        return found, cosines

    def write(self, path: Path) -> None:
        """Write the file of FAISS."""
        need("faiss", extra="explore").write_index(self._index, str(path))

    @classmethod
    def read(cls, path: Path, plan: IndexPlan, vectors: np.ndarray) -> ApproximateIndex:
        """Open the file of FAISS, which stays on disk until its lists are probed."""
        faiss: Any = need("faiss", extra="explore")
        return cls(faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY), plan, vectors)


def sample_queries(vectors: np.ndarray, n: int, *, k: int = 10, seed: int = 0) -> np.ndarray:
    """Synthetic queries outside the index: means of a vector and one of its neighbours.

    An index finds its own vectors more easily than unseen ones.

    Args:
        vectors: Shape (m, d), float32, of length 1.
        n: How many queries; no more than there are vectors.
        k: Number of neighbours to draw from.
        seed: Seed of the draw.

    Returns:
        Shape (n, d), float32, of length 1.
    """
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(vectors))[:n]
    own = np.ascontiguousarray(vectors[rows])
    near, _ = top_k(own, vectors, min(k, max(len(vectors) - 1, 1)), skip=rows)
    drawn = near[np.arange(len(rows)), rng.integers(0, near.shape[1], len(rows))]
    return unit_vectors(own + vectors[np.maximum(drawn, 0)])


def recalls(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Share of the true rows that each query found.

    Args:
        found: Rows, shape (q, k), -1 for none.
        truth: The true rows, shape (q, k), -1 where there are fewer.

    Returns:
        Shares, float64, shape (q,); NaN where there are no true rows.
    """
    hits = ((truth[:, :, None] == found[:, None, :]) & (truth >= 0)[:, :, None]).any(axis=2).sum(axis=1)
    there = (truth >= 0).sum(axis=1)
    return np.divide(hits, there, out=np.full(len(truth), np.nan), where=there > 0)


def measure_recall(found: np.ndarray, truth: np.ndarray) -> Estimate:
    """Mean recall over queries, with its 95 % interval; arguments as those of :func:`recalls`."""
    return _mean(recalls(found, truth))


def _mean(values: np.ndarray) -> Estimate:
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return Estimate(float(values.mean()) if len(values) else float("nan"), low=None, high=None, n=len(values))
    half = 1.96 * float(values.std(ddof=1)) / len(values) ** 0.5
    mean = float(values.mean())
    return Estimate(mean, low=max(mean - half, 0.0), high=min(mean + half, 1.0), n=len(values))


def _lower(values: np.ndarray) -> float:
    found = _mean(values)
    return found.value if found.low is None else found.low
