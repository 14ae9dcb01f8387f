"""Measuring predicted ratings against the ratings that users gave: RMSE and MAE, over ratings and over users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, cast

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.data.read.frames import ids_alike
from reclens.errors import ArgumentValueError, DataError, UnknownNameError
from reclens.evaluation.cards import PredictionCard
from reclens.evaluation.groups import make_groups
from reclens.evaluation.results import MINIMUM_SEGMENT, OVERALL, MetricResult
from reclens.metrics.of_predictions import OF_PREDICTIONS
from reclens.schema import ITEM, RATING, SCORE, USER, Vocabulary, fingerprint, stable_hash, versions
from reclens.stats.bootstrap import estimate, interval
from reclens.stats.estimate import Estimate
from reclens.stats.summary import Cell, Summary
from reclens.tabular import Tabular

__all__ = ["PredictionEvaluation", "evaluate_predictions"]

PREDICTION: Final = "prediction"

_SUMS: Final[Mapping[str, Literal["squared", "absolute"]]] = {"rmse": "squared", "mae": "absolute"}


@dataclass(frozen=True, eq=False, kw_only=True)
class PredictionEvaluation(Tabular):
    """Everything measured on one system's predictions. ``evaluation["rmse"].overall`` is an :class:`Estimate`.

    Attributes:
        system: Name of the system.
        metrics: The metrics, in the requested order.
        estimates: (metric, by, segment) -> estimate.
        summary: The mergeable sums behind them, over users: ``squared``, ``absolute`` and ``ratings``, and the metrics
            that are means over users.
        per_user: Polars frame ``user_id, ratings, rmse, mae``.
        level: Confidence level of the intervals.
        card: What was measured on what, and what was left out, with counts.
    """

    system: str
    metrics: tuple[str, ...]
    estimates: Mapping[tuple[str, str, str], Estimate]
    summary: Summary
    per_user: pl.DataFrame
    level: float
    card: PredictionCard

    def _about(self) -> str:
        return f"PredictionEvaluation '{self.system}'"

    def __iter__(self) -> Iterator[MetricResult]:
        return (self[name] for name in self.metrics)

    def __getitem__(self, metric: str) -> MetricResult:
        if metric not in self.metrics:
            raise UnknownNameError("metric of this evaluation", metric, self.metrics)
        by: dict[str, dict[str, Estimate]] = {}
        for name, segment in self.summary.cells[1:]:
            by.setdefault(name, {})[segment] = self.estimates[metric, name, segment]
        return MetricResult(metric, self.estimates[(metric, *OVERALL)], by, {})

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row a metric and segment; the row over all users has by="overall", segment="all"."""
        order = ("system", "metric", "by", "segment", "n", "value", "low", "high", "level", "small", "note")
        rows: list[dict[str, Any]] = []
        for metric in self.metrics:
            for by, segment in self.summary.cells:
                found = self.estimates[metric, by, segment]
                row = {"system": self.system, "metric": metric, "by": by, "segment": segment, **asdict(found)}
                rows.append({name: (row | {"small": found.n < MINIMUM_SEGMENT})[name] for name in order})
        return rows


def evaluate_predictions(
    predictions: pl.DataFrame | Any,
    truth: pl.DataFrame | Any = None,
    *,
    train: Dataset | None = None,
    metrics: Sequence[str] = tuple(OF_PREDICTIONS),
    by: Sequence[str | tuple[str, str]] = (),
    level: float = 0.95,
    replicates: int = 1000,
    rng: int = 0,
    name: str = "system",
) -> PredictionEvaluation:
    """Measure the predicted ratings of any system: RMSE and MAE, each over ratings and over users.

    Over ratings, ``rmse`` is √(Σ e² ÷ n) and ``mae`` is Σ|e| ÷ n over all n ratings, as Surprise and the Netflix Prize
    have them: ratios of two sums over users, whose intervals resample users with all their ratings (BCa of the Poisson
    bootstrap, widened where few users have most of the ratings or of the error). ``user_rmse`` and ``user_mae`` are
    means over users of the same numbers of one user. Units are those of the ratings. Pairs without a prediction are
    left out, and counted on the card: systems that leave out other pairs do not compare.

    Args:
        predictions: ``user_id, item_id, prediction`` (or ``score``), as a table or file; a column ``fallback`` (as
            ``predict`` makes it: null, or why there was no prediction of the pair's own) is counted.
        truth: The ratings, ``user_id, item_id, rating``; by default a column ``rating`` of the predictions.
        train: The training part, for its segments.
        metrics: Any of ``rmse, mae, user_rmse, user_mae``.
        by: Segmentations of ``train.segments``; ``"age × activity"`` is a product.
        level: Confidence level of the intervals.
        replicates: Poisson-bootstrap replicates behind the intervals.
        rng: Seed of the replicates.
        name: Name of the system.

    Returns:
        The evaluation, with the errors of every user.

    Raises:
        DataError: If a column is missing, a pair is predicted twice, or nothing can be measured.
        UsageError: If a metric is unknown, or an argument is out of range.

    Example:
        >>> import polars as pl
        >>> table = pl.DataFrame({"user_id": [1, 1, 2], "item_id": [7, 8, 7], "prediction": [4.0, 3.0, 2.0],
        ...                       "rating": [4.0, 5.0, 1.0]})
        >>> found = evaluate_predictions(table)
        >>> found["mae"].overall.value, found["user_mae"].overall.value
        (1.0, 1.0)

    References:
        Herlocker, Konstan, Terveen, Riedl (2004), Evaluating collaborative filtering recommender systems, section 4.1;
        Efron (1987) for the interval; Carter, Schnepel, Steigerwald (2017), Asymptotic behavior of a t-test robust to
        cluster heterogeneity, and Satterthwaite (1946), An approximate distribution of estimates of variance
        components, for how many users the spread rests on.
    """
    asked = tuple(dict.fromkeys([metrics] if isinstance(metrics, str) else metrics))
    for metric in asked:
        if metric not in OF_PREDICTIONS:
            raise UnknownNameError("metric of predictions", metric, OF_PREDICTIONS)
    if not asked:
        raise ArgumentValueError("metrics", "is empty. Name at least one, such as rmse.")
    if not 0 < level < 1:
        raise ArgumentValueError("level", f"is {level}, expected a number between 0 and 1 such as 0.95")
    rows, counts = _pair(_table(predictions), None if truth is None else _table(truth))
    users, columns = _by_user(rows)
    groups = make_groups(train, users, [by] if isinstance(by, str) else by)
    summary = Summary.of(stable_hash(users.ids), columns, groups=groups, replicates=replicates, seed=rng)
    members: dict[Cell, np.ndarray] = {OVERALL: np.ones(len(users), bool)}
    for each, (labels, codes) in groups.items():
        members |= {(each, label): codes == at for at, label in enumerate(labels)}
    estimates: dict[tuple[str, str, str], Estimate] = {}
    for metric in asked:
        for cell in summary.cells:
            if metric in _SUMS:
                found = _over_ratings(summary, cell, metric, columns, members[cell], level)
            else:
                found = estimate(summary, cell, metric, level=level)
            estimates[(metric, *cell)] = found
    errors = {"rmse": columns["user_rmse"], "mae": columns["user_mae"]}
    per_user = pl.DataFrame({USER: users.ids, "ratings": columns["ratings"].astype(np.int64), **errors})
    card = {
        "n_users": len(users),
        "n_ratings": rows.height,
        **counts,
        "truth": fingerprint(rows.select(USER, ITEM, RATING)),
        "metrics": list(asked),
        "by": list(groups),
        "level": level,
        "replicates": replicates,
        "seed": rng,
        "interval": "bca",
        "versions": versions(),
    }
    return PredictionEvaluation(
        system=name,
        metrics=asked,
        estimates=estimates,
        summary=summary,
        per_user=per_user,
        level=level,
        card=cast("PredictionCard", card),
    )


def _by_user(rows: pl.DataFrame) -> tuple[Vocabulary, dict[str, np.ndarray]]:
    """Users, and for each the sums of errors and the metrics of one user."""
    errors = rows[PREDICTION].to_numpy() - rows[RATING].to_numpy()
    users = Vocabulary(rows[USER])
    owner = users.encode(rows[USER])
    ratings = np.bincount(owner).astype(np.float64)
    squared, absolute = np.bincount(owner, errors**2), np.bincount(owner, np.abs(errors))
    return users, {
        "squared": squared,
        "absolute": absolute,
        "ratings": ratings,
        "user_rmse": np.sqrt(squared / ratings),
        "user_mae": absolute / ratings,
    }


def _over_ratings(
    summary: Summary, cell: Cell, metric: str, columns: Mapping[str, np.ndarray], members: np.ndarray, level: float
) -> Estimate:
    """A ratio of sums over users; the root of it, and of the ends of its interval, for RMSE."""
    column = _SUMS[metric]
    finish = np.sqrt if metric == "rmse" else np.positive
    i, j = summary.index(cell, column)
    at = summary.columns.index("ratings")
    n = int(summary.n[i, j])
    ratio = float(summary.total[i, j] / summary.total[i, at])
    value = float(finish(ratio))
    if n < 2:
        return Estimate(value, low=None, high=None, n=n, level=level, note="one_unit")
    # The linear part of what a user does to the ratio; its skewness is the acceleration of BCa, whatever its scale.
    pull = columns[column][members] - ratio * columns["ratings"][members]
    spread = float(np.mean(pull**2))
    if spread <= 1e-24 * max(float(np.mean(columns[column][members])) ** 2, 1e-300):
        return Estimate(value, low=None, high=None, n=n, level=level, note="no_variation")
    acceleration = float(np.mean(pull**3)) / spread**1.5 / (6 * n**0.5)
    drawn = summary.sums[i, at]
    replicates = np.divide(summary.sums[i, j], drawn, out=np.full(len(drawn), np.nan), where=drawn > 0)
    # Where few users have most of the ratings, or of the error, the spread rests on fewer users than there are.
    sizes, kurtosis = columns["ratings"][members], float(np.mean(pull**4)) / spread**2
    by_sizes, by_spread = sizes.sum() ** 2 / (sizes**2).sum(), 2 * n / max(kurtosis - 1, 1e-9)
    worth = int(max(min(by_sizes, by_spread, n), 2))
    ends = interval(replicates, ratio, n=worth, level=level, acceleration=acceleration)
    if ends is None:
        return Estimate(value, low=None, high=None, n=n, level=level, note="too_few_replicates")
    return Estimate(value, low=float(finish(ends[0])), high=float(finish(ends[1])), n=n, level=level)


def _table(source: Any) -> pl.DataFrame:
    if isinstance(source, pl.DataFrame):
        return source
    from reclens.data.read.tables import read_table_and_rules

    return read_table_and_rules(source)[0]


def _pair(predictions: pl.DataFrame, truth: pl.DataFrame | None) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Each rating beside its prediction, and what was left out."""
    if PREDICTION not in predictions.columns and SCORE in predictions.columns:
        predictions = predictions.rename({SCORE: PREDICTION})  # what other libraries and the readers call it
    _need(predictions, "predictions", (USER, ITEM, PREDICTION, *(() if truth is not None else (RATING,))))
    if predictions.select(USER, ITEM).is_duplicated().any():
        raise DataError("a pair is predicted more than once", source="predictions", fix="Keep one row a pair.")
    if truth is None:
        rows = predictions
        unasked = 0
    else:
        _need(truth, "truth", (USER, ITEM, RATING))
        kept = [column for column in (PREDICTION, "fallback") if column in predictions.columns]
        given, predicted = ids_alike(truth.select(USER, ITEM, RATING), predictions.select(USER, ITEM, *kept))
        rows = given.join(predicted, on=[USER, ITEM], how="left", maintain_order="left")
        unasked = predicted.join(given, on=[USER, ITEM], how="anti").height
    rows = rows.with_columns(pl.col(PREDICTION, RATING).cast(pl.Float64))
    bad = rows.height - int(rows[RATING].is_finite().sum())
    if bad:
        raise DataError(
            f"{bad:,} ratings are missing or not finite", source="truth", column=RATING, fix="Drop those rows."
        )
    measured = rows.filter(pl.col(PREDICTION).is_finite().fill_null(value=False))
    if not measured.height:
        raise DataError(
            "no rating has a prediction, so that nothing can be measured",
            source="predictions",
            fix="Check that both tables hold the same pairs.",
        )
    counts: dict[str, Any] = {
        "ratings_without_prediction": rows.height - measured.height,
        "predictions_without_rating": unasked,
    }
    if "fallback" in measured.columns:
        reasons = measured["fallback"].cast(pl.String).drop_nulls().value_counts(sort=True)
        counts["fallbacks"] = dict(reasons.iter_rows())
    return measured, counts


def _need(table: pl.DataFrame, source: str, columns: Sequence[str]) -> None:
    absent = [column for column in columns if column not in table.columns]
    if absent:
        raise DataError(
            f"there is no column {', '.join(absent)}; there are {', '.join(table.columns)}",
            source=source,
            fix="Rename its columns.",
        )
