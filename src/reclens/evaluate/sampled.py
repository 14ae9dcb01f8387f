"""Sampled metrics, beside the full ones: what "one relevant item among 100 negatives" makes of the same ranking.

Ranking the relevant item among a few sampled negatives, and not among all candidates, was common for years. It measures
something else: the numbers are much higher, and systems can change places (Krichene and Rendle 2020). RecLens computes
them only to read old papers, only next to the full metric, and always with a warning.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.errors import UsageError
from reclens.evaluate.ground import make_ground
from reclens.evaluate.source import open_lists
from reclens.metrics.registry import parse
from reclens.schema import ITEM, RANK, USER, Recommendations

__all__ = ["SampledComparison", "SampledMetricsWarning", "compare_sampled"]

_SUPPORTED = ("hit_rate", "ndcg", "mrr")


class SampledMetricsWarning(UserWarning):
    """Sampled metrics are not comparable with full ones, nor with those of another sample size."""


@dataclass(frozen=True)
class SampledComparison:
    """A metric in full and sampled.

    Attributes:
        metric: The metric.
        full: Its mean over relevant items, each ranked among all candidates.
        sampled: Its expected mean when each relevant item is ranked among ``n_negatives`` sampled candidates.
        inflation: sampled ÷ full.
        n_negatives: Negatives of each sample.
        n_candidates: Mean number of candidates that are not relevant.
        n: Relevant items that were ranked.
        warning: Why the sampled number should not be used.
    """

    metric: str
    full: float
    sampled: float
    inflation: float
    n_negatives: int
    n_candidates: float
    n: int
    warning: str

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [asdict(self)]


def compare_sampled(
    recommendations: Recommendations | Any,
    truth: pl.DataFrame,
    *,
    train: Dataset,
    n_negatives: int = 100,
    metrics: Sequence[str] = ("hit_rate@10", "ndcg@10", "mrr@10"),
) -> list[SampledComparison]:
    """Compute metrics in full and as sampled metrics, from whole rankings.

    Each relevant item is one case, ranked against the candidates of its user that are not relevant. In full, its rank
    is exact; sampled, the negatives that stand before it follow the hypergeometric distribution, so that the expected
    sampled metric needs no draw.

    Args:
        recommendations: Whole rankings: each list holds every candidate. A relevant item that is not listed, and a
            user without a list, count as ranked behind all candidates.
        truth: Held-out interactions ``user_id, item_id``.
        train: The training part; candidates are its items without those of the user.
        n_negatives: Negatives sampled without replacement for each relevant item, uniformly.
        metrics: Any of ``hit_rate@k, ndcg@k, mrr@k``.

    Returns:
        One comparison a metric.

    Raises:
        UsageError: If a metric has no sampled form, or the lists are not whole rankings.

    Warns:
        SampledMetricsWarning: Always.

    References:
        Krichene and Rendle (2020), On sampled metrics for item recommendation; Koren (2008) for the protocol.
    """
    specs = [parse(text) for text in metrics]
    for spec in specs:
        if spec.info.name not in _SUPPORTED:
            raise UsageError(f"{spec.text} has no sampled form here. Use one of {', '.join(_SUPPORTED)}.")
    if n_negatives < 1:
        raise UsageError(f"n_negatives is {n_negatives}, expected 1 or more.")
    before, candidates = _negatives_before(recommendations, truth, train)
    warning = (
        f"sampled metrics with {n_negatives} negatives are not comparable with full metrics, nor between sample sizes, "
        "and can reverse the order of systems (Krichene and Rendle 2020): report the full metric"
    )
    warnings.warn(warning, SampledMetricsWarning, stacklevel=2)
    sample = np.minimum(n_negatives, candidates)
    found: list[SampledComparison] = []
    for spec in specs:
        k = spec.k or 1
        gain = _gain(spec.info.name, k)
        full = float(np.where(before < k, gain[np.minimum(before, k - 1)], 0.0).mean())
        sampled = float((_ranks_in_sample(before, candidates, sample, k) @ gain).mean())
        ratio = sampled / full if full else float("nan")
        found.append(
            SampledComparison(
                spec.text, full, sampled, ratio, n_negatives, float(candidates.mean()), len(before), warning
            )
        )
    return found


def _negatives_before(recommendations: Any, truth: pl.DataFrame, train: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """For each relevant item, the irrelevant candidates before it and in all; int64, shape (cases,) each."""
    ground = make_ground(truth, train=train, relevance=None, catalogue=None, features=None, by=())
    source = open_lists(recommendations, name=None)
    table = pl.concat([chunk.table for chunk in source.chunks()]).select(USER, ITEM, RANK)
    cases = truth.select(USER, ITEM).unique(maintain_order=True)
    listed = table.join(cases.with_columns(relevant=pl.lit(value=True)), on=[USER, ITEM], how="left")
    listed = listed.sort(USER, RANK).with_columns(
        negatives_before=(pl.col("relevant").is_null()).cum_sum().over(USER) - pl.col("relevant").is_null()
    )
    profiles = ground.profiles
    assert profiles is not None
    sizes = pl.DataFrame({USER: ground.users.ids, "candidates": ground.catalogue.n_items - profiles.sizes})
    in_catalogue = pl.Series(ITEM, ground.items.ids.filter(ground.catalogue.in_catalogue)).implode()
    can_be_found = cases.filter(pl.col(ITEM).is_in(in_catalogue)).group_by(USER).agg(found=pl.len())
    sizes = sizes.join(can_be_found, on=USER, how="left").with_columns(
        negatives=pl.col("candidates") - pl.col("found").fill_null(0)
    )
    lengths = listed.group_by(USER).agg(listed_negatives=pl.col("relevant").is_null().sum())
    short = lengths.join(sizes, on=USER).filter(pl.col("listed_negatives") < pl.col("negatives"))
    if short.height:
        row = short.row(0, named=True)
        raise UsageError(
            f"the list of user {row[USER]!r} holds {row['listed_negatives']:,} of {row['negatives']:,} candidates: "
            "sampled metrics need whole rankings. Recommend with k as large as the catalogue."
        )
    found = cases.join(listed.filter(pl.col("relevant")), on=[USER, ITEM], how="left").join(sizes, on=USER, how="left")
    before = found["negatives_before"].fill_null(found["negatives"])
    return before.cast(pl.Int64).to_numpy(), found["negatives"].cast(pl.Int64).to_numpy()


def _gain(name: str, k: int) -> np.ndarray:
    """Value of the one relevant item at each place, shape (k,)."""
    places = np.arange(1, k + 1)
    return {"hit_rate": np.ones(k), "ndcg": 1 / np.log2(places + 1), "mrr": 1 / places}[name]


def _ranks_in_sample(before: np.ndarray, candidates: np.ndarray, sample: np.ndarray, k: int) -> np.ndarray:
    """Probability that 0 … k-1 of the sampled negatives stand before the item, shape (cases, k)."""
    from scipy.special import gammaln

    def log_choose(n: np.ndarray, m: np.ndarray) -> np.ndarray:
        possible = (m >= 0) & (m <= n)
        n, m = np.where(possible, n, 0), np.where(possible, m, 0)
        return np.where(possible, gammaln(n + 1) - gammaln(m + 1) - gammaln(n - m + 1), -np.inf)

    drawn = np.arange(k)[None, :]
    b, c, s = before[:, None], candidates[:, None], sample[:, None]
    return np.exp(log_choose(b, drawn) + log_choose(c - b, s - drawn) - log_choose(c, s))
