"""The sums of partitions on their way: as one row each, added up, and as an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.evaluation.cards import HashedRows
from reclens.evaluation.context import nothing_relevant
from reclens.evaluation.groups import UNKNOWN, named_parts
from reclens.evaluation.overlap import explain_unmatched
from reclens.evaluation.partition_context import ItemFacts
from reclens.evaluation.partition_sums import PartitionSums
from reclens.evaluation.partitions import PartitionPlan
from reclens.evaluation.protocol import make_card
from reclens.evaluation.results import OVERALL, Evaluation
from reclens.metrics.exposure_counts import Exposure
from reclens.schema import ITEM, USER, fingerprint, fingerprint_of_total, hash_of_total
from reclens.stats.summary import Cell, Summary
from reclens.vocabulary import Vocabulary

__all__ = [
    "Measured",
    "check_shared",
    "evaluation_of",
    "ground_card",
    "in_known_order",
]


@dataclass(frozen=True, eq=False, kw_only=True)
class Measured:
    """What an evaluation says beside its sums.

    Attributes:
        name: Name of the system.
        lists_card: What is known of the lists.
        level: Confidence level of the intervals.
        facts: The items.
        train: The training data, where it is in memory.
        aliases: Metric as it was asked for -> metric.
        ids: Function that gives some ids of the lists, and of what they are held against, by column.
    """

    name: str
    lists_card: Mapping[str, Any]
    level: float
    facts: ItemFacts
    train: Dataset | None
    aliases: Mapping[str, str]
    ids: Callable[[str], tuple[pl.Series, pl.Series]]


def evaluation_of(plan: PartitionPlan, sums: PartitionSums | None, measured: Measured) -> Evaluation:
    """The evaluation of all partitions together: that of one machine, but for the values of each user.

    Raises:
        DataError: If no user has a relevant item.
        UnmatchedIdsError: If no user or no item of the lists is in the truth.
    """
    if sums is None or not sums.counts.get("users"):
        raise nothing_relevant()
    counts = _counted(sums)
    check_shared(plan, sums, measured, served=counts["users"] - counts["without_list"])
    summary = in_known_order(plan, sums.summary)
    cells = summary.cells
    shown = sums.exposure.with_columns(
        cell=pl.Series([cells.index(each) for each in sums.summary.cells], dtype=pl.Int32).gather(sums.exposure["cell"])
    )
    offered = Vocabulary(measured.facts.ids.filter(pl.Series(measured.facts.offered)))

    def exposure(k: int, cell: int) -> np.ndarray:
        own = shown.filter(k=k, cell=cell)
        whole = np.zeros(len(offered), np.int64)
        whole[offered.encode(own[ITEM])] = own["count"].to_numpy()
        return whole

    catalogue = {
        (spec.text, *cell): float(spec.info.function(Exposure(exposure(spec.k or plan.depth, at))))
        for spec in plan.specs
        if spec.info.kind == "catalogue"
        for at, cell in enumerate(cells)
    }
    popularity = measured.facts.popularity[measured.facts.offered]
    nobody = {USER: pl.Int64 if sums.counts.get("integer_users") else pl.String}
    numbers = {"n_relevant": pl.Int64, "list_length": pl.Int32, **dict.fromkeys(plan.user_metrics, pl.Float64)}
    return Evaluation(
        system=measured.name,
        metrics=tuple(spec.text for spec in plan.specs),
        summary=summary,
        catalogue=catalogue,
        per_user=pl.DataFrame(schema=nobody | numbers),
        segments=pl.DataFrame(schema=nobody | dict.fromkeys(dict.fromkeys(by for by, _ in cells[1:]), pl.String)),
        exposure=pl.DataFrame({ITEM: offered.ids, "count": exposure(plan.depth, 0), "popularity": popularity}),
        level=measured.level,
        card=_card(plan, sums, measured, offered, cells),
    )


_COUNTS: Final = (
    "users",
    "truth_rows",
    "truth_pairs",
    "truth_duplicates",
    "truth_hash",
    "truth_graded_hash",
    "truth_graded",
    "truth_rows_without_relevance",
    "users_without_relevant_items",
    "truth_in_training",
    "truth_outside_catalogue",
    "train_rows",
    "train_hash",
    "users_without_history",
    "history_rows",
    "history_users",
    "history_pairs",
    "history_hash",
    "history_unknown",
    "seen",
    "listed",
    "inside",
    "strangers",
    "without_list",
    "short_list",
)
"""What partitions count: a sum of 0 may be absent."""


def ground_card(plan: PartitionPlan, sums: PartitionSums, measured: Measured, offered: Vocabulary) -> Any:
    """What the lists were held against: as one machine has it, from the counts of all partitions.

    Args:
        plan: What was measured.
        sums: The sums.
        measured: What is known beside them.
        offered: The items that can be recommended.
    """
    counts = _counted(sums)
    total = counts["truth_graded_hash"] if counts["truth_graded"] else counts["truth_hash"]
    given: dict[str, Any] = {
        "truth": {"rows": counts["truth_pairs"], "hash": hash_of_total(counts["truth_pairs"], total)},
        "truth_duplicates": counts["truth_duplicates"],
        "truth_pairs_in_training": counts["truth_in_training"] if "train" in plan.tables else None,
        "relevance": plan.relevance,
        "train": _train_card(plan, counts, measured),
        "n_users": counts["users"],
        "n_items": len(offered),
        "catalogue": fingerprint(offered.ids.alias(ITEM)),
    }
    if "truth" in plan.tables:
        given |= {name: counts[name] for name in ("truth_rows_without_relevance", "users_without_relevant_items")}
    pair = {USER: _kind(sums), ITEM: offered.ids.dtype}
    if "history" in plan.tables:
        given["history"] = {
            "rows": counts["history_rows"],
            "users": counts["history_users"],
            "hash": fingerprint_of_total(counts["history_pairs"], pair, counts["history_hash"]),
            "rows_of_unknown_items": counts["history_unknown"],
        }
    if "train" in plan.tables:
        given["users_without_history"] = counts["users_without_history"]
    return given


def _counted(sums: PartitionSums) -> dict[str, int]:
    return {**dict.fromkeys(_COUNTS, 0), **sums.counts}


def _card(
    plan: PartitionPlan, sums: PartitionSums, measured: Measured, offered: Vocabulary, cells: Sequence[Cell]
) -> Any:
    """The card: merged, counts added."""
    counts = _counted(sums)
    listed = {
        "users_without_list": counts["without_list"],
        "users_with_short_list": counts["short_list"],
        "lists_of_users_without_truth": counts["strangers"],
        "recommendations": counts["listed"],
        "recommendations_outside_catalogue": counts["listed"] - counts["inside"] if plan.has_catalogue else None,
        "recommendations_seen_in_training": counts["seen"] if "train" in plan.tables else None,
    }
    card = make_card(
        {**ground_card(plan, sums, measured, offered), "truth_rules": []},
        listed,
        source_card=measured.lists_card,
        rules=sums.rules,
        train=measured.train,
        metrics=[spec.text for spec in plan.specs],
        depth=plan.depth,
        convention=plan.convention,
        level=measured.level,
        replicates=plan.replicates,
        seed=plan.seed,
        by=list(dict.fromkeys(by for by, _ in cells[1:])),
    )
    return {**card, "id_problems": [], "metric_aliases": dict(measured.aliases), "per_user": False}


def _kind(sums: PartitionSums) -> pl.DataType:
    return pl.Int64() if sums.counts.get("integer_users") else pl.String()


def _train_card(plan: PartitionPlan, counts: Mapping[str, int], measured: Measured) -> HashedRows | None:
    if "train" not in plan.tables:
        return None
    train = measured.train
    if train is not None:
        return {"name": train.name, "rows": train.interactions.height, "hash": train.fingerprint}
    schema = {USER: pl.Int64() if counts.get("integer_users") else pl.String(), ITEM: measured.facts.ids.dtype}
    rows = counts["train_rows"]
    return {"name": "data", "rows": rows, "hash": fingerprint_of_total(rows, schema, counts["train_hash"])}


def check_shared(plan: PartitionPlan, sums: PartitionSums, measured: Measured, *, served: int) -> None:
    """Refuse lists that share no user or no item with what they are held against.

    Args:
        plan: What was measured.
        sums: The sums.
        measured: What is known beside them.
        served: Users with a list and with relevant items.

    Raises:
        UnmatchedIdsError: If there are none.
    """
    counts = _counted(sums)
    if "truth" in plan.tables and counts["strangers"] and not served:
        raise explain_unmatched(USER, *measured.ids(USER), truth=True, trained=False)
    if counts["listed"] and not counts["inside"]:
        listed, held = measured.ids(ITEM)
        if not listed.is_in(held.implode()).any():
            truth = not plan.has_catalogue
            raise explain_unmatched(ITEM, listed, held, truth=truth, trained="train" in plan.tables)


def _cells(plan: PartitionPlan, summary: Summary) -> list[Cell]:
    there = {cell for cell, n in summary.cell_sizes.items() if n}
    wanted: list[Cell] = [OVERALL]
    for by in plan.by:
        parts = named_parts(by)
        labels = product(*([*plan.labels[part], UNKNOWN] for part in parts))
        wanted += [(" × ".join(parts), " × ".join(each)) for each in labels]
    return [cell for cell in dict.fromkeys(wanted) if cell in there]


def in_known_order(plan: PartitionPlan, summary: Summary) -> Summary:
    """The cells that have a user, in the order in which one machine has them."""
    cells = _cells(plan, summary)
    at = [summary.cells.index(cell) for cell in cells]
    arrays = {name: array[at] for name, array in summary.arrays().items()}
    return replace(summary, cells=tuple(cells), **arrays)
