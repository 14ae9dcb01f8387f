"""Candidates by request: what was shown each time, what was clicked of it, and how a system ranks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, cast

import numpy as np
import polars as pl

from reclens.cards import AppliedRule
from reclens.data.dataset import Dataset
from reclens.data.read.lists import run_starts
from reclens.data.read.options import name_column
from reclens.data.rules import rule
from reclens.data.split import task_of
from reclens.errors import ArgumentValueError, DataError, UsageError
from reclens.evaluation.argument_checks import asked_metrics
from reclens.evaluation.cards import EvaluationCard
from reclens.evaluation.groups import make_groups, segments_table
from reclens.evaluation.results import Evaluation
from reclens.metrics.conventions import convention_named
from reclens.metrics.lists import Catalogue, Lists
from reclens.metrics.registry import Asked, MetricSpec
from reclens.schema import CLICKED, ITEM, RANK, REQUEST, SCORE, USER, Vocabulary, combine_hashes, stable_hash, versions
from reclens.stats.summary import Summary

__all__ = ["REQUEST_METRICS", "evaluate_requests"]

REQUEST_METRICS: Final = ("candidate_auc", "mind_mrr", "ndcg@5", "ndcg@10")
"""The metrics of the MIND competition."""
_CELLS: Final = 4_000_000
"""Cells of the rectangles of requests and candidates that are measured at a time."""


def evaluate_requests(
    candidates: pl.DataFrame | Any,
    *,
    metrics: Asked | Sequence[Asked] = REQUEST_METRICS,
    train: Dataset | None = None,
    by: Sequence[str | tuple[str, str]] = (),
    level: float = 0.95,
    replicates: int = 1000,
    rng: int = 0,
    name: str = "system",
) -> Evaluation:
    """Measure how a system ranks the candidates of each request, as the MIND competition does for news.

    A metric is worked out for each request from its own candidates; the value of a user is the mean of these,
    and the estimate is the mean over users, so that who comes often does not count for more. The plain means over
    requests, which MIND's leaderboard has, stand in ``card["means_over_requests"]``. Requests without a click are left
    out; AUC is not defined where all candidates were clicked. Candidates with equal scores count half in AUC, and keep
    their order elsewhere.

    Args:
        candidates: One row a candidate, ``request_id, user_id, item_id, clicked`` (0 or 1) and ``score`` or ``rank``,
            as a table or file; :func:`reclens.read_mind` makes it from MIND's files.
        metrics: Metrics that need no more than truth: ``candidate_auc``, ``mind_mrr``, ``ndcg@k``, ``mrr@k`` …
        train: The training part, for its segments.
        by: Segmentations of ``train.segments``; ``"age × activity"`` is a product.
        level: Confidence level of the intervals.
        replicates: Poisson-bootstrap replicates behind the intervals, over users.
        rng: Seed of the replicates.
        name: Name of the system.

    Returns:
        The evaluation: it compares, is kept and reported like any other.

    Raises:
        DataError: If a column is missing or wrong, a request has two users, or no request has a click.
        UsageError: If a metric needs more than truth, or an argument is out of range.

    Example:
        >>> import polars as pl
        >>> shown = pl.DataFrame({"request_id": [1, 1, 1], "user_id": ["u"] * 3, "item_id": ["a", "b", "c"],
        ...                       "clicked": [0, 1, 0], "score": [0.9, 0.5, 0.1]})
        >>> found = evaluate_requests(shown, replicates=0)
        >>> found["candidate_auc"].overall.value, found["mind_mrr"].overall.value
        (0.5, 0.5)

    References:
        Wu et al. (2020), MIND: a large-scale dataset for news recommendation.
    """
    asked = _asked(metrics)
    specs = tuple(dict.fromkeys(asked.values()))
    if not 0 < level < 1:
        raise ArgumentValueError("level", f"is {level}, expected a number between 0 and 1 such as 0.95")
    rows, rules = _ordered(_table(candidates))
    starts = run_starts(rows[REQUEST])
    clicks = np.add.reduceat(rows[CLICKED].to_numpy(), starts)
    if not clicks.any():
        raise DataError(
            "no request has a click, so that nothing can be measured",
            source="candidates",
            column=CLICKED,
            fix="Name the column that says what was chosen, 1 for yes.",
        )
    values = _by_request(rows, starts, specs)
    owner = rows[USER].gather(starts)
    kept = clicks > 0
    users = Vocabulary(owner.filter(pl.Series(kept)))
    codes = users.encode(owner)[kept]
    columns = {spec.text: _mean_of(values[spec.text][kept], codes, len(users)) for spec in specs}
    groups = make_groups(train, users, [by] if isinstance(by, str) else by)
    summary = Summary.of(stable_hash(users.ids), columns, groups=groups, replicates=replicates, seed=rng)
    sizes = np.diff(starts, append=rows.height)
    counted = (("n_relevant", clicks), ("list_length", sizes))
    counts = {name: np.bincount(codes, each[kept], len(users)).astype(np.int64) for name, each in counted}
    per_user = pl.DataFrame({USER: users.ids, **counts, **columns})
    card = _card(rows, clicks, sizes, train, rules) | {
        "n_users": len(users),
        "metrics": [spec.text for spec in specs],
        "by": list(groups),
        "level": level,
        "replicates": replicates,
        "seed": rng,
        "means_over_requests": {spec.text: float(np.nanmean(values[spec.text][kept])) for spec in specs},
        "metric_aliases": {text: spec.text for text, spec in asked.items() if text != spec.text},
        "depth": max(spec.k or int(sizes.max()) for spec in specs),
    }
    nothing = pl.DataFrame(schema={ITEM: rows.schema[ITEM], "count": pl.Int64, "popularity": pl.Int64})
    about = cast("EvaluationCard", card)
    return Evaluation(
        system=name,
        metrics=tuple(columns),
        summary=summary,
        catalogue={},
        per_user=per_user,
        segments=segments_table(users.ids, groups),
        exposure=nothing,
        level=level,
        card=about,
    )


def _asked(metrics: Asked | Sequence[Asked]) -> dict[str, MetricSpec]:
    """Each metric as it was written, and what it is; only those that need no more than what was clicked."""
    asked = asked_metrics(metrics)
    for spec in asked.values():
        if spec.info.kind != "user" or not set(spec.info.needs) <= {"truth", "requests"} or not spec.info.needs:
            raise UsageError(f"{spec.text} cannot be measured by request: it needs more than what was clicked.")
    return asked


def _table(source: Any) -> pl.DataFrame:
    if isinstance(source, pl.DataFrame):
        return source
    from reclens.data.read.tables import read_table

    return read_table(source)


def _ordered(table: pl.DataFrame) -> tuple[pl.DataFrame, list[AppliedRule]]:
    """The candidates, request by request in the order of the system, each item of a request once."""
    order = RANK if RANK in table.columns else SCORE
    for column in (REQUEST, USER, ITEM, CLICKED, order):
        if column not in table.columns:
            raise DataError(
                f"there is no column '{column}'; there are {', '.join(table.columns)}",
                source="candidates",
                fix=name_column(column),
            )
    clicked = table[CLICKED].cast(pl.Float64, strict=False)
    for column, bad in (
        (CLICKED, clicked.is_null() | ~clicked.is_in([0.0, 1.0])),
        *((each, table[each].is_null()) for each in (REQUEST, USER, ITEM)),
    ):
        if bad.any():
            row = int(bad.arg_true()[0])
            expected = "expected 0 or 1" if column == CLICKED else "expected an id"
            raise DataError(
                f"the value is {table[column][row]!r}, {expected}", source="candidates", column=column, row=row + 1
            )
    ordering = table[order].cast(pl.Float64, strict=False).fill_nan(None)
    falling = (-ordering if order == RANK else ordering).fill_null(-np.inf)  # what has no score stands last
    rows = table.select(REQUEST, USER, ITEM).with_columns(clicked.cast(pl.Int64).alias(CLICKED), falling.alias("by"))
    several = rows.group_by(REQUEST).agg(pl.col(USER).n_unique()).filter(pl.col(USER) > 1)
    if several.height:
        raise DataError(
            f"{several.height:,} requests have more than one user, such as {several[REQUEST].min()!r}",
            source="candidates",
            column=REQUEST,
            fix="Give each request an id of its own.",
        )
    rows = rows.with_row_index("row").sort(
        pl.col("row").min().over(REQUEST), pl.col("by"), pl.col("row"), descending=[False, True, False]
    )
    once = rows.with_columns(pl.col(CLICKED).max().over(REQUEST, ITEM)).unique(
        [REQUEST, ITEM], keep="first", maintain_order=True
    )
    tied = int((once["by"].is_duplicated() & once.select(pl.struct(REQUEST, "by").is_duplicated()).to_series()).sum())
    said = [
        rule("repeated_candidates", rows.height - once.height),
        rule("candidates_without_score", int(ordering.is_null().sum()), column=order),
        rule("candidates_with_equal_scores", tied),
    ]
    return once.drop("row"), [each for each in said if each["count"]]


def _by_request(rows: pl.DataFrame, starts: np.ndarray, specs: Sequence[MetricSpec]) -> dict[str, np.ndarray]:
    """The value of each metric for each request."""
    sizes = np.diff(starts, append=rows.height)
    found: dict[str, list[np.ndarray]] = {spec.text: [] for spec in specs if spec.info.name != "candidate_auc"}
    clicked = rows[CLICKED].to_numpy()
    convention = convention_named("trec")
    nothing = Catalogue(popularity=np.zeros(1, np.int64), n_users=0, in_catalogue=np.ones(1, bool))
    # A rectangle is a power of two wide: sums over wider rows differ in their last bits, and so the width of a request
    # has to depend on it alone.
    widths = 2 ** np.ceil(np.log2(sizes)).astype(np.int64)
    order = np.argsort(widths, kind="stable")
    chunks = [part for width in np.unique(widths) for part in _pieces(order[widths[order] == width], int(width))]
    for chunk in chunks:
        width = int(widths[chunk[0]])
        inside = np.arange(width) < sizes[chunk][:, None]
        at = np.where(inside, starts[chunk][:, None] + np.arange(width), 0)
        gains = np.where(inside, clicked[at], 0).astype(np.float64)
        hits = gains.sum(axis=1).astype(np.int32)
        lists = Lists(
            items=np.where(inside, 0, -1).astype(np.int32),
            gains=gains,
            length=sizes[chunk].astype(np.int32),
            n_relevant=hits,
            ideal=(np.arange(width) < hits[:, None]).astype(np.float64),
            catalogue=nothing,
        )
        for spec in specs:
            if spec.text in found:
                deep = lists if spec.k is None or spec.k <= width else _wider(lists, spec.k)
                found[spec.text].append(np.asarray(spec.info.function(deep.cut(spec.k), convention), np.float64))
    back = np.argsort(order, kind="stable")
    values = {text: np.concatenate(parts)[back] for text, parts in found.items()}
    return values | ({"candidate_auc": _auc(rows, starts)} if len(values) < len(specs) else {})


def _pieces(requests: np.ndarray, width: int) -> list[np.ndarray]:
    at_once = max(_CELLS // width, 1)
    return [requests[first : first + at_once] for first in range(0, len(requests), at_once)]


def _wider(lists: Lists, k: int) -> Lists:
    """The same lists as a rectangle of k ranks: what is missing there hits nothing."""
    more = ((0, 0), (0, k - lists.depth))
    return Lists(
        items=np.pad(lists.items, more, constant_values=-1),
        gains=np.pad(lists.gains, more),
        length=lists.length,
        n_relevant=lists.n_relevant,
        ideal=np.pad(lists.ideal, more),
        catalogue=lists.catalogue,
    )


def _auc(rows: pl.DataFrame, starts: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of each request, ties half; NaN where all or none of its candidates were clicked."""
    ranks = rows.select(pl.col("by").rank("average").over(REQUEST)).to_series().to_numpy()
    clicked = rows[CLICKED].to_numpy()
    hits = np.add.reduceat(clicked, starts).astype(np.float64)
    misses = np.diff(starts, append=rows.height) - hits
    above = np.add.reduceat(ranks * clicked, starts) - hits * (hits + 1) / 2
    pairs = hits * misses
    return np.divide(above, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def _mean_of(values: np.ndarray, codes: np.ndarray, n: int) -> np.ndarray:
    """The mean of each user's requests, over those with a value."""
    there = ~np.isnan(values)
    counts = np.bincount(codes[there], minlength=n)
    sums = np.bincount(codes[there], values[there], n)
    return np.divide(sums, counts, out=np.full(n, np.nan), where=counts > 0)


def _card(
    rows: pl.DataFrame, clicks: np.ndarray, sizes: np.ndarray, train: Dataset | None, rules: list[AppliedRule]
) -> dict[str, Any]:
    """What was measured, with the entries that every evaluation has."""
    keys = stable_hash(rows[REQUEST].cast(pl.String)) * np.uint64(0x9E3779B97F4A7C15) ^ stable_hash(rows[ITEM])
    clicked = rows[CLICKED].to_numpy() > 0
    split = None if train is None else train.card.get("split")
    learned = (
        None if train is None else {"name": train.name, "rows": train.interactions.height, "hash": train.fingerprint}
    )
    left: Mapping[str, int] = {
        "requests": len(sizes),
        "requests_without_click": int((clicks == 0).sum()),
        "requests_all_clicked": int((clicks == sizes).sum()),
    }
    return {
        **left,
        "unit": "user",
        "n_items": rows[ITEM].n_unique(),
        "catalogue": combine_hashes(keys),
        "truth": {"rows": int(clicked.sum()), "hash": combine_hashes(keys[clicked])},
        "train": learned,
        "relevance": "clicked",
        "convention": asdict(convention_named("trec")),
        "seen_items": "unknown",
        "split": split,
        "task": task_of(split),
        "synthetic": bool(train is not None and train.card.get("synthetic")),
        "interval": "bca_widened",
        "recommendations": rows.height,
        "lists": {},
        "rules": rules,
        "truth_rules": [],
        "task_problems": [],
        "id_problems": [],
        "versions": versions(),
        "truth_duplicates": 0,
        "truth_rows_without_relevance": 0,
        "truth_pairs_in_training": None,
        "users_without_relevant_items": 0,
        "users_without_list": 0,
        "users_with_short_list": 0,
        "lists_of_users_without_truth": 0,
        "recommendations_outside_catalogue": None,
        "recommendations_seen_in_training": None,
    }
