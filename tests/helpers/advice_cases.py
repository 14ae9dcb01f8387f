"""A call of every room that ends in each advice, for the test that every surface names its own settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl

import reclens as rl
from exact_arms import check, plan, sums
from reclens.audit.intersections import search_intersections
from reclens.audit.mitigate.frontier import achievable_frontier
from reclens.audit.popularity import popularity_bias
from reclens.data.manifest import write_manifest
from reclens.data.read.fetch import fetch
from reclens.data.read.open import load_split
from reclens.data.read.recbole import write_recbole
from reclens.data.read.request import Reading
from reclens.edges.dbt import DbtMarts
from reclens.edges.embedding_atlas import atlas_tables
from reclens.errors import Advice, Setting
from reclens.experiment.aggregate.arm_level import ArmCounts, compare_arm_statistics
from reclens.experiment.aggregate.gather import gather_events
from reclens.experiment.aggregate.tally import Counted, Tally
from reclens.experiment.analysis.readout import read_sums
from reclens.experiment.analysis.row_checks import row_checks
from reclens.experiment.planning.calculator import calculate
from reclens.explore.local_store import LocalStore
from reclens.explore.transfer import _compare
from reclens.explore.vector_files import _chosen
from reclens.job.explore_demo import read_catalogue
from reclens.job.monitor_inputs import expect_days
from reclens.lab.method_comparison import explored_log
from reclens.metrics.lists import Lists
from reclens.models._core.scoring import Scoring
from reclens.pipeline.rerank._base import named_labels
from reclens.pipeline.rerank.available import Available
from reclens.pipeline.rerank.boost import Boost
from reclens.pipeline.vectors import VectorRetriever
from reclens.report.experiment.check_words import check_text
from reclens.report.experiment.remark_words import caveat_sentences
from reclens.tuning.hybrid_weights import _points
from reclens.tuning.schedule import cut_part
from reclens.vocabulary import Vocabulary
from reclens.world.policy import Policy

__all__ = ["ROOM_CASES", "TOLD_BY_REPORT"]

Told = tuple[Advice, Callable[[Callable[[Setting], str]], str]]
LISTS = {"user_id": [1], "item_id": [8], "rank": [1]}
CLICKS = {"name": "clicks", "value": "y", "effect": 0.05}
LOOKS = {"method": "group", "spending": "obrien_fleming", "looks": 4}
UNITS = {"user_id": [1, 2, 3, 4], "variant": ["a", "b", "a", "b"], "y": [1.0, 2.0, 3.0, 4.0]}


def _arms() -> list[ArmCounts]:
    return [
        ArmCounts.of(np.arange(n), np.zeros(n, int), np.arange(n, dtype=np.uint64), n_items=2, groups=4)
        for n in (9, 90)
    ]


def _too_large(folder: Path) -> None:
    train = rl.synthetic_movielens(n_users=30, n_items=20, n_ratings=300)
    model = rl.models.get("sasrec")(batch_size=10**9, max_length=10**6)
    model.items_, model.seen_ = train.item_vocabulary, train.matrix()
    model._require(train)  # which a fit does once PyTorch is there


def _alike(folder: Path) -> None:
    model = rl.models.get("sasrec")()
    model.sequences_ = SimpleNamespace(indptr=np.arange(4))
    model.user_factors_, model.item_factors_ = np.ones((3, 2)), np.arange(8.0).reshape(4, 2)
    model._check_spread()


def _plan(**more: Any) -> rl.experiment.Plan:
    return rl.experiment.Plan(**({"name": "t", "arms": {"a": 0.5, "b": 0.5}, "metrics": (CLICKS,)} | more))


def _gather(*, table: Mapping[str, Any] | None = None, **how: Any) -> Callable[[Path], object]:
    return lambda folder: rl.experiment.gather(pl.DataFrame(UNITS if table is None else table), _plan(), **how)


def _looks(asked: Mapping[str, Any], **more: Any) -> Callable[[Path], object]:
    return lambda folder: rl.experiment.read(_plan(**asked), pl.DataFrame(UNITS), **more)


def _two_of_a_day(folder: Path) -> None:
    rows = pl.DataFrame({"variant": ["a", "a", "b"], "n": [2, 2, 3], "y_mean": [1.0] * 3, "y_sd": [1.0] * 3})
    rl.experiment.read_aggregated(_plan(), rows)


def _audit(**settings: Any) -> Callable[[Path], object]:
    users = pl.DataFrame({"user_id": range(40), "country": ["x", "y"] * 20})
    items = pl.DataFrame({"item_id": [1, 2], "shelf": ["a", "b"]})
    lists = pl.DataFrame({"user_id": range(40), "item_id": [1] * 40, "rank": [1] * 40})
    return lambda folder: rl.audit.run(lists, users=users, items=items, **settings)


def _train(**items: Any) -> rl.Dataset:
    table = pl.DataFrame({"item_id": range(300), **items}) if items else None
    return rl.read(pl.DataFrame({"user_id": range(300), "item_id": range(300)}), items=table)


def _search(*, held: bool = True, **how: Any) -> Callable[[Path], object]:
    def search(folder: Path) -> None:
        data = rl.synthetic_movielens(n_users=30, n_items=20, n_ratings=300)
        rl.tune(rl.split.random(data, test_share=0.2, validation_share=0.2 * held), "popular", **how)

    return search


def _differs(folder: Path) -> None:
    mine, theirs = (
        SimpleNamespace(ids=["a"], vectors=np.array([[1.0, 0.0]]) * sign, attributes=pl.DataFrame()) for sign in (1, -1)
    )
    _compare(mine, theirs, SimpleNamespace(attributes=()))  # type: ignore[arg-type]


def _untimed(folder: Path) -> None:
    rows = pl.DataFrame(
        {"user_id": [1, 2], "variant": ["a", "b"], "timestamp": [date(2024, 1, 1)] * 2, "y": [1.0, 2.0]}
    )
    gather_events(rows, _plan(), duplicates="drop")


def _kept_twice(folder: Path) -> None:
    workspace = rl.Workspace(folder)
    for _ in range(2):
        workspace.save(_plan(), "plan")


def _own_class(folder: Path) -> None:
    (folder / "header.json").write_text('{"model": "own"}')
    write_manifest(folder)
    rl.load_model(folder)


def _pipeline(folder: Path) -> None:
    (folder / "pipeline.json").touch()
    rl.load_model(folder)


def _separated(folder: Path) -> None:
    items = pl.DataFrame({"item_id": [1], "genres": [["science fiction", "drama"]]})
    write_recbole(rl.read(pl.DataFrame({"user_id": [1], "item_id": [1]}), items=items), folder)


def _fetched(folder: Path) -> None:
    (folder / "ml-100k.zip").write_bytes(b"of mine")
    fetch("ml-100k", folder=folder)


def _untold(folder: Path) -> None:
    (folder / "items.csv").write_text("item,colour\n1,red\n2,red\n")
    read_catalogue(folder / "items.csv")


def _no_project(folder: Path) -> None:
    DbtMarts(SimpleNamespace(settings=SimpleNamespace(marts=SimpleNamespace(project="dbt", command="dbt")), place=Path))  # type: ignore[arg-type]


def _crossed(folder: Path) -> None:
    rows = {"user_id": [1, 1, 2, 2, 3], "variant": ["a", "b", "a", "a", "b"], "y": [1.0] * 5}
    rl.experiment.read(_plan(), pl.DataFrame(rows), two_arms="drop")


ROOM_CASES: Mapping[str, Callable[[Path], object]] = {
    "ask_something": lambda folder: calculate(mean=0.2),
    "cast_side": lambda folder: Vocabulary(pl.Series([1, 2])).encode(pl.Series(["a"])),
    "collapsed": _alike,
    "draw_larger_arm": lambda folder: compare_arm_statistics(*_arms(), "coverage"),
    "drop_two_arms": _gather(table={**UNITS, "user_id": [1, 1, 3, 4], "variant": ["a", "b", "a", "b"]}),
    "drop_unknown_arms": _gather(table={**UNITS, "variant": ["a", "b", "c", "b"]}),
    "embed_columns": _untold,
    "evaluate_requests": lambda folder: rl.evaluate(pl.DataFrame(LISTS), pl.DataFrame(LISTS), metrics="candidate_auc"),
    "explore_with_map": lambda folder: atlas_tables(SimpleNamespace(map=None), None),  # type: ignore[arg-type]
    "fewer_points": lambda folder: _points(list("abcdefgh"), "grid", 0.01, 0, 0),
    "fewer_values": lambda folder: named_labels(
        "mmr", _train(shelf=[[f"s{n}"] for n in range(300)]), _train().item_vocabulary, "shelf"
    ),
    "fill_store": lambda folder: VectorRetriever(store=LocalStore(folder / "store")).fit(_train()),
    "filter_before": lambda folder: load_split(
        "train.csv", Reading(paths={}), test="test.csv", validation=None, task="new_items", filtered=True
    ),
    "fixed_looks": _looks({"days": 28, "sequential": LOOKS}, days=14, looks_taken=[0.25]),
    "fold_in": lambda folder: Scoring._told(
        SimpleNamespace(is_personalized=True, supports_fold_in=False, name="own"),  # type: ignore[arg-type]
        pl.DataFrame(LISTS),
        "replace",
    ),
    "leave_out_ids": _gather(ids=False),
    "load_own_class": _own_class,
    "load_pipeline": _pipeline,
    "log_attention": lambda folder: achievable_frontier(
        SimpleNamespace(settings=SimpleNamespace(attention="rbp"), has_truth=True),  # type: ignore[arg-type]
        None,  # type: ignore[arg-type]
    ),
    "log_fewer": lambda folder: explored_log(
        None,  # type: ignore[arg-type]
        np.zeros((1_000, 5), np.int32),
        Policy(kind="softmax", k=2, pool=5),
        lists=100,
    ),
    "make_monitor": rl.monitor.Project,
    "measure_tiers": lambda folder: popularity_bias(SimpleNamespace(groups={})),  # type: ignore[arg-type]
    "move_again": _differs,
    "name_arm": _gather(table={"user_id": [1, 2], "group": ["a", "b"], "y": [1.0, 2.0]}),
    "name_attribute": lambda folder: named_labels("mmr", _train(shelf=["a"] * 300), _train().item_vocabulary, None),
    "name_day": _two_of_a_day,
    "name_events": _untimed,
    "name_groups": lambda folder: search_intersections(
        SimpleNamespace(context=SimpleNamespace(groups={"gender": ()})),  # type: ignore[arg-type]
        "ndcg@10",
    ),
    "name_in_attributes": _audit(attributes=["shelf"], by="shelf"),
    "name_in_by": _audit(attributes=["country"]),
    "name_tensor": lambda folder: _chosen(None, {}, ["one", "two"], folder / "model.safetensors"),
    "name_unit": lambda folder: rl.experiment.read(_plan(cluster="shop"), pl.DataFrame(UNITS), ids=False),
    "no_ids": _gather(table={"variant": ["a", "b"], "y": [1.0, 2.0]}),
    "no_looks": _looks({}, looks_taken=[0.5]),
    "other_separator": _separated,
    "overwrite": _kept_twice,
    "pass_shares": lambda folder: Lists.require(
        SimpleNamespace(profiles=(), catalogue=SimpleNamespace(features=(), distributions=None)),  # type: ignore[arg-type]
        "distributions",
    ),
    "read_own_file": _fetched,
    "run_days": lambda folder: expect_days(SimpleNamespace(folder=folder, days=list)),  # type: ignore[arg-type]
    "say_available": lambda folder: Available()._check(),
    "say_boosted": lambda folder: Boost()._check(),
    "say_units": _looks({"sequential": {"method": "msprt"}}),
    "split_with_validation": _search(held=False),
    "sum_up_units": _crossed,
    "train_smaller": _too_large,
    "use_halving": _search(shares=[0.5, 1.0]),
    "use_random": lambda folder: cut_part(_train(), pl.DataFrame(LISTS), 0.5, 0),
    "values_as_they_are": lambda folder: rl.synthetic_movielens(n_users=30, n_items=20, n_ratings=300).with_segments(
        gender=rl.segments.bins("gender", [1])
    ),
    "write_dbt": _no_project,
}
"""Code of an advice -> a call that ends in it; :mod:`tests.test_advice` has those of ``data`` and ``evaluation``."""


def _check(code: str, asked: Mapping[str, Any], **more: Any) -> Callable[[], Told]:
    def made() -> Told:
        found = check(read_sums(plan(**asked), sums(b=20.0), **more), code)
        return found.advice, lambda named: check_text(found, named)

    return made


def _repeated() -> Told:
    arms = {arm: Counted(1_000, faulty, faulty, 1_000, faulty, faulty) for arm, faulty in (("a", 0), ("b", 90))}
    tally = Tally(code="duplicate_rows", column="whole rows", handled="kept", arms=arms)
    twice = next(each for each in row_checks(replace(sums(b=20.0), tallies=(tally,))) if each.code == "duplicates")
    assert twice.advice is not None
    return twice.advice, lambda named: check_text(twice, named)


def _not_measured() -> Told:
    asked = plan(metrics=(CLICKS, {"name": "coverage", "kind": "coverage", "value": "item"}))
    readout = read_sums(asked, sums(b=20.0))
    found = next(each for each in readout.caveats if each.code == "not_measured")
    assert found.advice is not None
    return found.advice, lambda named: next(
        each for each in caveat_sentences(readout, named) if each.startswith("Not measured")
    )


TOLD_BY_REPORT: Mapping[str, Callable[[], Told]] = {
    "drop_duplicates": _repeated,
    "give_exposures": _not_measured,
    "say_days": _check("peeking", {"days": 28}, days=7),
    "say_looks": _check("peeking", {"days": 28, "sequential": LOOKS}, days=17),
    "say_progress": _check("peeking", {"days": 28}),
}
"""Code of an advice of a record -> the advice, and how ``report`` tells it where settings are named so."""
