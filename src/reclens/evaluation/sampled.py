"""Sampled metrics, beside the full ones: what "one relevant item among 100 negatives" makes of the same ranking.

Ranking the relevant item among a few sampled negatives, and not among all candidates, was common for years. It measures
something else: the numbers are much higher, and systems can change places (Krichene and Rendle 2020). RecLens computes
them only to read old papers, only next to the full metric, and always with a warning.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.data.read.frames import ids_alike
from reclens.errors import Advice, ArgumentValueError, Setting, UnknownNameError, UsageError
from reclens.evaluation.source import open_lists
from reclens.metrics.registry import parse
from reclens.schema import ITEM, RANK, USER, Recommendations
from reclens.tabular import Tabular

__all__ = ["SampledComparison", "SampledMetricsWarning", "compare_sampled"]

_SUPPORTED = ("hit_rate", "ndcg", "mrr")


class SampledMetricsWarning(UserWarning):
    """Sampled metrics are not comparable with full ones, nor with those of another sample size."""

    @classmethod
    def of(cls, n_negatives: int) -> SampledMetricsWarning:
        """The warning for a sample size."""
        return cls(
            f"sampled metrics with {n_negatives} negatives are not comparable with full metrics, nor between sample "
            "sizes, and can reverse the order of systems (Krichene and Rendle 2020): report the full metric"
        )


@dataclass(frozen=True, kw_only=True)
class SampledComparison(Tabular):
    """A metric in full and sampled.

    Attributes:
        metric: The metric.
        full: Its mean over relevant items, each ranked among all candidates.
        sampled: Its expected mean when each relevant item is ranked among ``n_negatives`` sampled candidates.
        inflation: sampled ÷ full.
        n_negatives: Negatives of each sample.
        n_candidates: Mean number of candidates that are not relevant.
        n: Relevant items that were ranked.
        n_unscored: How many of them no list holds: they rank behind all candidates.
        warning: Why the sampled number should not be used.
    """

    metric: str
    full: float
    sampled: float
    inflation: float
    n_negatives: int
    n_candidates: float
    n: int
    n_unscored: int
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
    unscored: Literal["last"] | None = None,
) -> list[SampledComparison]:
    """Compute metrics in full and as sampled metrics, from whole rankings.

    Each relevant item is one case, ranked against the candidates of its user that are not relevant. In full, its rank
    is exact; sampled, the negatives that stand before it follow the hypergeometric distribution, so that the expected
    sampled metric needs no draw.

    A system may leave candidates without a score: kNN, SLIM and RP3beta list only items with a score above 0. Unscored
    items rank last: a relevant item that is not listed stands behind every candidate of its user, listed or not, and so
    does each relevant item of a user without a list. Listed items that are no candidates are passed over.

    Args:
        recommendations: Whole rankings: each list holds every candidate that the system scored. Lists of a RecLens
            model say whether they do: their k has to reach the candidates of every user.
        truth: Held-out interactions ``user_id, item_id``.
        train: The training part; candidates are its items without those of the user.
        n_negatives: Negatives sampled without replacement for each relevant item, uniformly.
        metrics: Any of ``hit_rate@k, ndcg@k, mrr@k``.
        unscored: ``"last"`` declares that lists which do not say so hold everything that the system scored. None
            refuses lists that may have been cut off, since sampled metrics of them would be too low.

    Returns:
        One comparison a metric.

    Raises:
        UsageError: If a metric has no sampled form, or the lists may not be whole rankings.

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
        raise ArgumentValueError("n_negatives", f"is {n_negatives}, expected 1 or more")
    if unscored not in (None, "last"):
        raise UnknownNameError("value of unscored", str(unscored), ("last",))
    before, candidates, n_unscored = _negatives_before(recommendations, truth, train, unscored)
    doubt = SampledMetricsWarning.of(n_negatives)
    warnings.warn(doubt, stacklevel=2)
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
                metric=spec.text,
                full=full,
                sampled=sampled,
                inflation=ratio,
                n_negatives=n_negatives,
                n_candidates=float(candidates.mean()),
                n=len(before),
                n_unscored=n_unscored,
                warning=str(doubt),
            )
        )
    return found


def _negatives_before(
    recommendations: Any, truth: pl.DataFrame, train: Dataset, unscored: str | None
) -> tuple[np.ndarray, np.ndarray, int]:
    """Irrelevant candidates before each relevant item and in all, int64, shape (cases,); and the cases in no list."""
    source = open_lists(recommendations, name=None)
    table = pl.concat([chunk.table for chunk in source.chunks()]).select(USER, ITEM, RANK)
    table, cases, pairs = ids_alike(table, truth.select(USER, ITEM), train.interactions.select(USER, ITEM))
    cases, pairs = cases.unique(maintain_order=True), pairs.unique()
    items = pairs.select(pl.col(ITEM).unique())
    # A relevant item is a candidate although the user has it: its rank is asked for.
    own = pairs.join(cases, on=[USER, ITEM], how="anti").group_by(USER).agg(own=pl.len())
    in_catalogue = cases.join(items, on=ITEM, how="semi").group_by(USER).agg(relevant=pl.len())
    sizes = cases.select(pl.col(USER).unique()).join(own, on=USER, how="left").join(in_catalogue, on=USER, how="left")
    sizes = sizes.fill_null(0).select(USER, negatives=items.height - pl.col("own") - pl.col("relevant"))
    listed = table.join(cases.with_columns(relevant=pl.lit(value=True)), on=[USER, ITEM], how="left")
    listed = listed.join(items, on=ITEM, how="semi").join(
        pairs.with_columns(owned=pl.lit(value=True)), on=[USER, ITEM], how="left"
    )
    is_negative = pl.col("relevant").is_null()
    listed = listed.filter(~is_negative | pl.col("owned").is_null()).sort(USER, RANK)
    listed = listed.with_columns(before=is_negative.cum_sum().over(USER) - is_negative)
    if unscored is None:
        _check_whole(listed.group_by(USER).agg(held=is_negative.sum()).join(sizes, on=USER), source.card, items.height)
    found = cases.join(listed.filter(~is_negative), on=[USER, ITEM], how="left").join(sizes, on=USER, how="left")
    before = found["before"].fill_null(found["negatives"])
    n_unscored = found["before"].null_count()
    return before.cast(pl.Int64).to_numpy(), found["negatives"].cast(pl.Int64).to_numpy(), n_unscored


def _check_whole(lengths: pl.DataFrame, card: Mapping[str, Any], n_items: int) -> None:
    """Raise UsageError where a list may have been cut off before its system had no more scored items."""
    short = lengths.filter(pl.col("held") < pl.col("negatives"))
    k = card.get("k")
    if not short.height or (k is not None and int(k) >= n_items):
        return
    row = short.row(0, named=True)
    asked = "do not say how long they could have been" if k is None else f"were asked for with k={k}"
    raise UsageError(
        f"the list of user {row[USER]!r} holds {row['held']:,} of {row['negatives']:,} candidates that are not "
        f"relevant. Sampled metrics need whole rankings, and these lists {asked}, so that they may have been cut off",
        advice=Advice(
            "rank_all",
            (Setting("k", n_items), Setting("unscored", "last")),
            "Recommend with {k} or more; if they hold everything that the system scored, pass {unscored}.",
        ),
    )


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
