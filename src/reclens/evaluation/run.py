"""Evaluate the lists of any system on held-out interactions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import polars as pl

from reclens.cards import AppliedRule
from reclens.data.dataset import Dataset
from reclens.data.split import Split
from reclens.engine import Engine, LocalEngine, Progress, TableEngine, quiet, table_engine
from reclens.evaluation.against_split import measured_against
from reclens.evaluation.argument_checks import check_asked, check_needs, check_seed, with_segments_of
from reclens.evaluation.context import EvaluationContext, Features, make_context
from reclens.evaluation.groups import segments_table
from reclens.evaluation.measuring import MeasuredPart, MeasuringPlan, measure_lists
from reclens.evaluation.overlap import check_kinds, check_overlap
from reclens.evaluation.passes import CodedLists, measure_all
from reclens.evaluation.protocol import make_card
from reclens.evaluation.results import OVERALL, Evaluation
from reclens.evaluation.source import Source, open_lists
from reclens.evaluation.warnings import warn_of
from reclens.metrics.conventions import Convention, convention_named
from reclens.metrics.exposure_counts import Exposure
from reclens.metrics.registry import Asked, MetricSpec
from reclens.schema import ITEM, USER, Recommendations

__all__ = ["evaluate"]


def evaluate(
    recommendations: Recommendations | Any,
    truth: pl.DataFrame | Split | Any = None,
    *,
    train: Dataset | Any = None,
    history: pl.DataFrame | Any = None,
    metrics: Asked | Sequence[Asked] | None = None,
    by: str | Sequence[str | tuple[str, str]] | None = None,
    relevance: str | None = None,
    catalogue: Sequence[Any] | pl.Series | None = None,
    features: Features | None = None,
    convention: str | Convention = "trec",
    level: float = 0.95,
    replicates: int = 1000,
    rng: int = 0,
    name: str | None = None,
    threads: int | None = None,
    engine: Engine | TableEngine | None = None,
    progress: Progress = quiet,
) -> Evaluation:
    """Evaluate the recommendation lists of any system.

    The evaluated users are those with at least one relevant item in the truth. A user among them without a list counts
    as the convention says (0 by default); lists of other users are counted and left out. Without truth, every user with
    a list is evaluated, and only metrics that need no truth can be asked for.

    Args:
        recommendations: Lists of any system: :class:`Recommendations`, a table or file with ``user_id, item_id`` and
            ``rank`` or ``score``, or a Polars LazyFrame, which is streamed in chunks of whole users.
        truth: Held-out interactions ``user_id, item_id``, as a table or file; or a split, which brings the training
            data, what users were told (its fold-in), segments and metrics of accuracy, diversity, novelty and coverage.
        train: The training part, a data set or a frame. Its items are the catalogue, its counts the popularity, its
            segments the segments.
        history: Interactions that the system received with the request, ``user_id, item_id``, such as the ``fold_in``
            of a split by users. They count as known like those of ``train``: their items are not new to the user, and
            popularity counts the users of both.
        metrics: Metrics with cut-offs, as ``"ndcg@10"`` or ``rl.metrics.ndcg @ 10``; ``rl.metrics.names()`` lists them.
            ``hr``, ``hit``, ``p`` and ``r`` are other names, and ``card["metric_aliases"]`` says of what. By default
            :data:`DEFAULT_METRICS`, and :data:`SPLIT_METRICS` against a split.
        by: Segmentations of ``train.segments``, or attributes of its users as they are, such as ``"gender"``;
            ``"age × activity"`` or ``("age", "activity")`` is a product. By default none, and against a split its
            segmentations, or age, favourite genre and activity where it has none.
        relevance: Column of the truth with graded relevance; rows at 0 or below are not relevant. None: every row is.
        catalogue: Ids of the items that could have been recommended; the items of the training part by default.
        features: Item features: the name of an attribute of ``train.items`` (a label or a list of labels an item), or
            (item ids, matrix). By default the only list-valued attribute there is, such as genres.
        convention: ``"trec"`` or another of ``reclens.metrics.CONVENTIONS``, or a :class:`Convention`.
        level: Confidence level of the intervals.
        replicates: Poisson-bootstrap replicates behind the intervals.
        rng: Seed of the replicates. Results with the same seed can be compared.
        name: Name of the system; by default that of the recommendations.
        threads: Threads to use; the result does not depend on it.
        engine: Engine that runs the chunks; by default threads on this machine. For tables of Spark, what
            ``reclens.edges.spark.Spark`` makes; frames of Spark are evaluated where they lie without it.
        progress: Callback for the progress.

    Returns:
        The evaluation, with the values of every user.

    Raises:
        DataError: If a table is not valid.
        UnmatchedIdsError: If no user or no item of the lists is in the truth; it names the likely cause.
        UsageError: If a metric needs data that are not given, or an argument is out of range.

    Warns:
        IdsWarning: If few ids of the tables are in common, or more would be if they were written alike.
        TaskWarning: If the lists or the truth do not fit the task of the split: new items, or repeats too.

    Example:
        >>> import polars as pl
        >>> lists = pl.DataFrame({"user_id": [1, 1, 2], "item_id": [7, 8, 8], "rank": [1, 2, 1]})
        >>> truth = pl.DataFrame({"user_id": [1, 2], "item_id": [8, 9]})
        >>> evaluate(lists, truth, metrics=["mrr@10"])["mrr@10"].overall.value
        0.25
    """
    how = dict(locals())
    if (elsewhere := table_engine(recommendations, engine)) is not None:
        found: Evaluation = elsewhere.evaluate(**{name: how[name] for name in how if name not in ("threads", "engine")})
        warn_of(found.card, stacklevel=3)
        return found
    given = measured_against(truth, train=train, history=history, metrics=metrics, by=by)
    asked = check_asked(given.metrics, convention=convention, level=level)
    specs = tuple(dict.fromkeys(asked.values()))
    check_seed(rng)
    by, train = given.by, with_segments_of(given.train, given.by)
    source = open_lists(recommendations, name=name)
    progress("prepare truth and catalogue", 0, 0)
    held_out, truth_rules = (None, []) if given.truth is None else _truth_table(given.truth)
    told = None if given.history is None else _truth_table(given.history)[0]
    check_kinds(source, held_out, train, told, None if catalogue is None else pl.Series(ITEM, catalogue))

    def prepare() -> EvaluationContext:
        return make_context(
            held_out,
            train=train,
            relevance=relevance,
            catalogue=catalogue,
            features=features,
            by=by,
            history=told,
            listed_users=source.users() if held_out is None else None,
        )

    # The lists and what they are held against are prepared side by side, unless one needs the other.
    side_by_side = LocalEngine(1 if held_out is None else threads)
    steps: list[Callable[[], Any]] = [source.put_in_order, prepare]
    context: EvaluationContext = list(side_by_side.map(lambda step: step(), steps))[1]
    context.card["truth_rules"] = truth_rules
    _check_needs(specs, context, truth=held_out is not None)
    plan = MeasuringPlan(
        specs=specs,
        convention=convention_named(convention),
        context=context,
        depth=_depth(specs, context),
        replicates=replicates,
        seed=rng,
    )
    local: Any = engine
    chunks: dict[str, Any] = {"source": source, "engine": local or LocalEngine(threads), "progress": progress}
    passed = measure_all(lambda lists: measure_lists(plan, lists), context, plan.depth, **chunks)
    found = _collect(plan, source, passed, level, train)
    aliases = {text: spec.text for text, spec in asked.items() if text != spec.text}
    found = replace(found, card={**found.card, "metric_aliases": aliases})
    warn_of(found.card, stacklevel=3)
    return found


def _truth_table(truth: Any) -> tuple[pl.DataFrame, list[AppliedRule]]:
    """The table of held-out interactions or of histories, and the rules that were applied when it was read."""
    if isinstance(truth, pl.DataFrame):
        return truth, []
    from reclens.data.read.tables import read_table_and_rules

    return read_table_and_rules(truth, required=(USER, ITEM))


def _depth(specs: Iterable[MetricSpec], context: EvaluationContext) -> int:
    """The largest cut-off of the metrics."""
    whole = int(context.n_relevant.max(initial=1))
    return max(spec.k if spec.k is not None else whole for spec in specs)


def _check_needs(specs: Sequence[MetricSpec], context: EvaluationContext, *, truth: bool) -> None:
    """Refuse metrics that need what was not given."""
    check_needs(
        specs,
        truth=truth,
        profiles=context.profiles is not None,
        catalogue=context.catalogue.n_items if context.has_catalogue else None,
        features=context.catalogue.features is not None,
        distributions=context.catalogue.distributions is not None,
    )


def _collect(
    plan: MeasuringPlan,
    source: Source,
    passed: list[tuple[CodedLists, MeasuredPart]],
    level: float,
    train: Dataset | None,
) -> Evaluation:
    context, parts = plan.context, [part for _, part in passed]
    summary = reduce(add, (part.summary for part in parts))
    exposure = _total_exposure(parts)
    catalogue = {
        (spec.text, by, segment): float(spec.info.function(exposure[(spec.k or plan.depth, by, segment)]))
        for spec in plan.specs
        if spec.info.kind == "catalogue"
        for by, segment in summary.cells
    }
    users = np.concatenate([lists.users for lists, _ in passed])
    order = np.argsort(users, kind="stable")
    length = np.concatenate([lists.length for lists, _ in passed])[order]
    values = np.concatenate([part.values for part in parts])[order]
    per_user = pl.DataFrame(
        {USER: context.users.ids, "n_relevant": context.n_relevant, "list_length": length}
        | {spec.text: values[:, i] for i, spec in enumerate(plan.user_metrics)}
    )
    counts = _counts(plan, parts, length, strangers=sum(lists.strangers for lists, _ in passed))
    counted = {**counts, "outside": sum(part.outside for part in parts)}
    problems = check_overlap(context, source, length, counted, train)
    texts = tuple(spec.text for spec in plan.specs)
    card = make_card(
        context.card,
        counts,
        source_card=source.card,
        rules=source.rules,
        train=train,
        metrics=texts,
        depth=plan.depth,
        convention=plan.convention,
        level=level,
        replicates=plan.replicates,
        seed=plan.seed,
        by=list(context.groups),
    )
    card["id_problems"] = problems
    return Evaluation(
        system=source.name,
        metrics=texts,
        summary=summary,
        catalogue=catalogue,
        per_user=per_user,
        segments=segments_table(context.users.ids, context.groups),
        exposure=_shown(context, exposure[(plan.depth, *OVERALL)]),
        level=level,
        card=card,
    )


def _shown(context: EvaluationContext, exposure: Exposure) -> pl.DataFrame:
    """How often each item of the catalogue was shown, and how popular it is in training."""
    offered = context.catalogue.in_catalogue
    ids, popularity = context.items.ids.filter(offered), context.catalogue.popularity[offered]
    return pl.DataFrame({ITEM: ids, "count": exposure.counts, "popularity": popularity})


def _total_exposure(parts: Sequence[MeasuredPart]) -> dict[tuple[int, str, str], Exposure]:
    """The counts of each cell over all parts."""
    total: dict[tuple[int, str, str], Exposure] = {}
    for part in parts:
        for key, counts in part.exposure.items():
            total[key] = total[key] + counts if key in total else counts
    return total


def _counts(
    plan: MeasuringPlan, parts: Sequence[MeasuredPart], length: np.ndarray, *, strangers: int
) -> dict[str, int | None]:
    """Counts for the card: missing, short and unused lists, and recommendations without a hit."""
    context = plan.context
    return {
        "users_without_list": int((length == 0).sum()),
        "users_with_short_list": int(((length > 0) & (length < plan.depth)).sum()),
        "lists_of_users_without_truth": strangers,
        "recommendations": sum(part.listed for part in parts),
        "recommendations_outside_catalogue": sum(part.outside for part in parts) if context.has_catalogue else None,
        "recommendations_seen_in_training": sum(part.seen for part in parts) if context.profiles is not None else None,
    }
