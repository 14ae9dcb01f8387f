"""What an error or a warning advises is named as the surface that shows it names it: arguments, options or fields."""

from __future__ import annotations

import ast
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping
from contextvars import copy_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import reclens as rl
from advice_cases import ROOM_CASES, TOLD_BY_REPORT
from reclens.cli.main import _warn
from reclens.cli.option_names import as_option, runs, texts
from reclens.dashboard.advice import said_on_page
from reclens.dashboard.bring_results import as_field
from reclens.data.read.frames import ids_alike
from reclens.data.read.lists import normalize_recommendations
from reclens.data.read.open import load_data, translated
from reclens.data.read.request import Reading, Words, is_about_reading, named_by
from reclens.data.read.sources import load
from reclens.data.split.result import _no_shared_pair
from reclens.edges._staging import refuse_to_replace
from reclens.edges.responsible_ai import responsible_ai_table
from reclens.errors import DataError, RecLensError, RecLensWarning, Setting, in_python
from reclens.evaluation.warnings import IdsWarning, TaskWarning
from reclens.experiment.aggregate.aggregates import Aggregates
from reclens.experiment.aggregate.source import opened
from reclens.experiment.off_policy import Decisions
from reclens.experiment.off_policy.evaluate import _chosen
from reclens.experiment.off_policy.pseudo_inverse import pseudo_inverse_weights
from reclens.explore.space import EmbeddingCard, EmbeddingSpace
from reclens.stats.power import Question
from reclens.tuning.journal import Journal
from reclens.tuning.results import split_settings
from reclens.world.policy import Policy

LISTS = {"user_id": [1], "item_id": [8], "rank": [1]}
NOTHING = Aggregates(arms=(), columns=(), cells={})
COUNTS = {"variant": ["a", "b"], "n": [9, 9]}


def _two_tables(folder: Path) -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    made.execute("CREATE TABLE a AS SELECT 1 AS user_id; CREATE TABLE b AS SELECT 1 AS user_id")
    return made


def _zip(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "two.zip", "w") as archive:
        archive.writestr("a.csv", "user,item\n1,2\n")
        archive.writestr("b.csv", "user,item\n1,2\n")
    return folder / "two.zip"


def _problem(cause: str, column: str = "user_id", sides: tuple[str, str] = ("the lists", "the truth")) -> IdsWarning:
    about = {"code": "near_ids", "column": column, "sides": sides, "shared": 3, "of": 90, "cause": cause, "mended": 9}
    return IdsWarning.of(about | {"mended_of": 80, "affix": "u", "width": 3, "examples": [["007"], ["7"]]})


def _task(code: str) -> TaskWarning:
    card = {"truth": {"rows": 10}, "truth_pairs_in_training": 4, "recommendations_seen_in_training": 3}
    return TaskWarning.of(code, card | {"recommendations": 30})


def _weights(folder: Path) -> None:
    rl.models.Popular().fit(rl.read(pl.DataFrame({"user_id": [1, 2], "item_id": [1, 1], "weight": [1.0, -1.0]})))


def _plan(**more: Any) -> rl.experiment.Plan:
    metric = {"name": "bought", "kind": "proportion", "value": "bought", "role": "primary"}
    content = {"name": "shop", "unit": "user", "arms": {"a": 0.5, "b": 0.5}, "metrics": [metric]}
    return rl.experiment.Plan.model_validate(content | more)


def _counted(folder: Path) -> None:
    rl.experiment.read_aggregated(_plan(), pl.DataFrame(COUNTS))


def _shown_from_elsewhere(folder: Path) -> None:
    log, policy = Decisions.of([0, 1], [1.0, 0.0], [0.5, 0.5], requests=[0, 0]), Policy(kind="greedy", k=2, pool=2)
    pseudo_inverse_weights(log, np.array([[0, 2], [0, 2]]), logging=policy, target=None)  # type: ignore[arg-type]


def _bandit(folder: Path) -> None:
    (folder / "random" / "all").mkdir(parents=True)
    (folder / "random" / "all" / "item_context.csv").write_text("item_id\n", encoding="utf-8")
    load_data(str(folder), Reading(words="python"))


def _movielens(folder: Path) -> None:
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,1,4.0,5\n", encoding="utf-8")
    rl.read(folder)


def _other_search(folder: Path) -> None:
    Journal(folder, {"trials": 1}).close()
    Journal(folder, {"trials": 2})


def _read(text: bytes, **how: Any) -> Callable[[Path], object]:
    return lambda folder: rl.read(text, **how)


def _fit(name: str, **parameters: Any) -> Callable[[Path], Any]:
    """Fit a model on histories without times, ratings and attributes."""
    histories = {"user_id": [1, 1, 2, 2, 3], "item_id": [1, 2, 2, 3, 1]}
    return lambda folder: rl.models.build(name, parameters).fit(rl.read(histories))


def _fit_attributes(name: str, **parameters: Any) -> Any:
    items = pl.DataFrame({"item_id": range(1, 13), "shelf": [["a", "b"], ["b", "c"], ["c"]] * 4})
    histories = rl.read(pl.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": [1, 2, 2, 3, 1]}), items=items)
    return rl.models.build(name, parameters).fit(histories)


def _sampled(folder: Path) -> None:
    train = rl.read(pl.DataFrame({"user_id": [1, 2, 2, 2], "item_id": [1, 2, 3, 4]}))
    lists = pl.DataFrame({"user_id": [1], "item_id": [2], "rank": [1]})
    rl.evaluation.compare_sampled(lists, lists.drop("rank"), train=train, n_negatives=2, metrics=["mrr@1"])


def _no_tags(folder: Path) -> None:
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,1,4.0,5\n", encoding="utf-8")
    (folder / "movies.csv").write_text("movieId,title,genres\n1,A (1999),Comedy\n", encoding="utf-8")
    rl.read_movielens(folder, tags=True)


def _more(folder: Path) -> None:
    more = rl.read(pl.DataFrame({"user_id": [1], "item_id": [3]}))
    _fit("pure_svd", factors=1)(folder).partial_fit(more)


def _features(folder: Path) -> None:
    items = pl.DataFrame({"item_id": range(300), "shelf": [f"s{n}" for n in range(300)]})
    train = rl.read(pl.DataFrame({"user_id": range(300), "item_id": range(300)}), items=items)
    rl.evaluate(pl.DataFrame(LISTS), pl.DataFrame(LISTS), train=train, metrics=["diversity@1"], features="shelf")


CASES: Mapping[str, Callable[[Path], object]] = {
    **ROOM_CASES,
    "absolute_effects": lambda folder: Question(kind="mean", mean=0.0, sd=1.0),
    "audit_groups": lambda folder: responsible_ai_table(SimpleNamespace(users=pl.DataFrame({"user_id": [1]}))),  # type: ignore[arg-type]
    "bin_values": lambda folder: rl.audit.run(
        pl.DataFrame({"user_id": range(40), "item_id": [1] * 40, "rank": [1] * 40}),
        users=pl.DataFrame({"user_id": range(40), "height": range(40)}),
        items=pl.DataFrame({"item_id": [1, 2], "shelf": ["a", "b"]}),
        attributes=["shelf"],
        by="height",
    ),
    "effects_that_add": lambda folder: Question(kind="mean", mean=0.0, sd=1.0, relative=False, scales=True),
    "evaluate_predictions": lambda folder: rl.evaluate(pl.DataFrame(LISTS), pl.DataFrame(LISTS), metrics=["rmse"]),
    "gather_alike": lambda folder: (
        Aggregates(arms=(), columns=("a",), cells={}) + Aggregates(arms=(), columns=(), cells={})
    ),
    "give_categories": lambda folder: _chosen(["mips"], None, None),
    "give_pool": _shown_from_elsewhere,
    "group_units": lambda folder: rl.experiment.gather(pl.DataFrame(), _plan(cluster="shop")),
    "greedy_policy": lambda folder: Policy(sharpness=-1.0),
    "keep_split": lambda folder: split_settings({"method": "given"}),
    "name_segments": lambda folder: rl.evaluate(
        pl.DataFrame(LISTS),
        pl.DataFrame(LISTS),
        train=rl.read(pl.DataFrame(LISTS).drop("rank")),
        metrics="mrr@1",
        by="x",
    ),
    "one_of_settings": lambda folder: rl.audit.run(
        pl.DataFrame(LISTS), settings=rl.audit.AuditSettings(attributes=["shelf"]), k=3
    ),
    "read_bandit": _bandit,
    "read_layout": _movielens,
    "replace_files": lambda folder: refuse_to_replace([folder], overwrite=False),
    "say_lengths": lambda folder: EmbeddingSpace(
        ids=pl.Series(["a"]),
        vectors=np.array([[2.0]]),
        card=EmbeddingCard(model="m", revision="1", dimension=1, source="file"),
    ),
    "split_again": lambda folder: _no_shared_pair("training", pl.DataFrame(LISTS), "test", pl.DataFrame(LISTS)),
    "start_anew": _other_search,
    "cast_ids": lambda folder: rl.read(pl.DataFrame({"user_id": [True], "item_id": [1]})),
    "change_columns": _read(b"user,item\n1,2\n", columns={"user_id": "user", "item_id": "user"}),
    "choose_member": lambda folder: rl.read(_zip(folder)),
    "choose_table": lambda folder: rl.read(_two_tables(folder)),
    "close_quotes": _read(b'user,item\n1,"2\n3,4\n'),
    "codes_to_ids": lambda folder: _problem("codes"),
    "count_pairs": lambda folder: rl.models.ItemKNN(weighting="bm25").fit(
        rl.read(pl.DataFrame({"user_id": [1, 1, 2], "item_id": [1, 2, 1]})), weights=[1.0, 1.0, 2.0]
    ),
    "dates": _read(b"user,item,timestamp\n1,2,-5\n"),
    "declare_critique": lambda folder: _fit_attributes("knowledge").critique(1, "cheaper"),
    "drop_rows": _read(b"user,item\n1,\n"),
    "fewer_features": _features,
    "fit_again": _more,
    "fit_histories": _fit("item_knn", feedback="explicit"),
    "fit_ratings": lambda folder: _fit("item_knn")(folder).predict(pl.DataFrame({"user_id": [1], "item_id": [2]})),
    "form_of_times": _read(b"user,item,timestamp\n1,2,noon\n"),
    "give_catalogue": lambda folder: _problem("unknown", "item_id"),
    "give_query": lambda folder: rl.read(pl.DataFrame(LISTS), params=[1]),
    "give_truth": lambda folder: rl.evaluate(pl.LazyFrame(LISTS), metrics=["coverage@1"], catalogue=[8]),
    "header_names_columns": _read(b"user,item\n1,2\n3,4\n", columns={"user_id": 0, "item_id": 1}),
    "hold_out_more": lambda folder: rl.split.by_time(
        rl.read(pl.DataFrame({"user_id": [1, 2], "item_id": [1, 1], "timestamp": [1, 9]})), test_share=0.5
    ),
    "ids_alike": lambda folder: _problem("case"),
    "ids_as_text": lambda folder: ids_alike(pl.DataFrame(LISTS), pl.DataFrame({"user_id": ["1"], "item_id": [8]})),
    "ids_unpadded": lambda folder: _problem("leading_zeros"),
    "items_in_cells": lambda folder: rl.read_recommendations(
        b"user,items\n1,2 3\n4,5 6\n", columns={"item_id": "items"}
    ),
    "learn_slower": lambda folder: rl.models.build("bpr", {"learning_rate": 1e30, "factors": 2}).fit(
        rl.synthetic_movielens(n_users=30, n_items=20, n_ratings=300)
    ),
    "leave_out": _read(b"user,item\n1,2\n", form="adjacency", delimiter=";"),
    "leave_seen_out": lambda folder: _task("seen_items_listed"),
    "look_at_dropped": _read(b"user,item\n,2\n", bad_rows="drop"),
    "merge_duplicates": _read(b"user,item\n1,2\n1,2\n", duplicates="error"),
    "name_both_columns": lambda folder: _problem("swapped"),
    "name_column": _read(b"customer,sku\nann,tea\n"),
    "name_counted": _counted,
    "name_delimiter": _read(b"1^7\n2^8\n"),
    "name_encoding": _read("user,item\nAmélie,2\n".encode("latin-1")),
    "name_models": _fit("weighted_hybrid", models={}),
    "name_order": lambda folder: normalize_recommendations(pl.DataFrame({"user_id": [1], "item_id": [2]}), "lists"),
    "name_times": lambda folder: rl.split.by_time(rl.read(pl.DataFrame(LISTS).drop("rank")), test_share=0.5),
    "no_half_life": lambda folder: _fit_attributes("content", half_life=3.0, min_items=1),
    "no_column": _read(b"user,item,timestamp\n1,2,\n1,3,5\n"),
    "one_item_a_row": lambda folder: load(pl.DataFrame(LISTS), wanted=("user_id", "item_id"), form="cell"),
    "other_features": lambda folder: _fit_attributes("content", min_items=13),
    "other_encoding": _read(b"user\0,item\n"),
    "pass_catalogue": lambda folder: rl.evaluate(pl.DataFrame(LISTS), pl.DataFrame(LISTS), metrics="coverage@1"),
    "pass_features": lambda folder: rl.evaluate(pl.DataFrame(LISTS), pl.DataFrame(LISTS), metrics="diversity@1"),
    "pass_train": lambda folder: rl.evaluate(
        pl.DataFrame(LISTS), pl.DataFrame(LISTS), metrics="mrr@1", history=pl.DataFrame(LISTS)
    ),
    "pass_truth": lambda folder: rl.evaluate(pl.DataFrame(LISTS), metrics="mrr@1"),
    "predict_by": lambda folder: _fit("popular")(folder).predict(pl.DataFrame({"user_id": [1], "item_id": [2]})),
    "profile_of_means": lambda folder: _fit_attributes("content", profile="rating", min_items=1),
    "quote_fields": _read(b"user,item\n1,2,3\n"),
    "rank_all": _sampled,
    "read_items": _fit("content"),
    "read_without_weights": _weights,
    "recommend_seen": lambda folder: _task("seen_items_filtered"),
    "rename_column": lambda folder: load(
        pl.DataFrame({"user_id": [1], "item_id": [[1, 2]], "place": [3]}), wanted=("user_id", "item_id")
    ),
    "rename_or_name": lambda folder: rl.evaluate(
        pl.DataFrame(LISTS), pl.DataFrame({"user_id": [1]}), metrics=["mrr@1"]
    ),
    "same_data": lambda folder: _problem("unknown"),
    "say_form": _read(b"user,item\n1,2\n", between=";"),
    "say_header": _read(b"1,7,5\n2,8,4\n"),
    "say_rows": lambda folder: opened(duckdb.connect()).__enter__(),
    "say_which": _read(b"user,userId,item\n1,2,3\n"),
    "split_for_task": lambda folder: _task("truth_in_training"),
    "take_less": _read(b"user,item\n" + b"1,2\n" * 300_000),
    "unpack_first": _read(pa.Codec("zstd").compress(b"user,item\n" + b"1,2\n" * 300_000, asbytes=True)),
    "use_cosine": _fit("item_knn", similarity="adjusted_cosine", weighting="none"),
    "use_no_weighting": _fit("item_knn", similarity="jaccard", weighting="bm25"),
    "whole_numbers": lambda folder: _problem("decimals"),
    "without_tags": _no_tags,
}


@pytest.mark.parametrize("code", CASES)
def test_each_surface_names_its_own_settings(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if code in ("fewer_features", "fewer_values", "log_fewer", "take_less", "unpack_first"):
        monkeypatch.setattr("reclens.memory.available_memory", lambda: 1_000)
    found = _raised(CASES[code], tmp_path)
    assert found.advice is not None and found.advice.code == code, found
    here = _on_all(found)
    names = [each.name for each in found.advice.settings]
    for name in names:
        assert f"{name}=" in here["python"], here
    argument = re.compile(rf"(?<![\w-])({'|'.join(names) or 'columns'})=")
    assert "--" not in here["python"].replace("zstd -d", "")
    if "{" in texts().get(code, found.advice.text):
        assert "--" in here["options"] and not argument.search(_without_options(here["options"])), here
    assert "--" not in here["page"] and not re.search(r"\w=", here["page"]), here


@pytest.mark.parametrize("code", TOLD_BY_REPORT)
def test_report_tells_the_advice_of_records_in_settings_of_each_surface(code: str) -> None:
    """The records of a readout have codes alone; ``report`` has the sentences."""
    advice, told = TOLD_BY_REPORT[code]()
    assert advice.code == code
    here = {"python": told(in_python), "options": told(as_option), "page": told(as_field)}
    for setting in advice.settings:
        assert all(named(setting) in here[surface] for surface, named in SURFACES.items()), here
    assert "--" not in here["python"] and not re.search(r"\w=", here["options"]), here
    assert "--" not in here["page"] and not re.search(r"\w=", here["page"]), here


SURFACES = {"python": in_python, "options": as_option, "page": as_field}


def test_every_advice_of_every_room_is_looked_at() -> None:
    codes = {
        node.args[0].value
        for path in Path(rl.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "Advice"
        and isinstance(node.args[0], ast.Constant)
    }
    assert codes ^ (set(CASES) | set(TOLD_BY_REPORT)) == PLAIN - codes


PLAIN = {"codes_to_ids", "same_data", "whole_numbers"}
"""Codes that :class:`IdsWarning` looks up by the cause."""


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (Setting("columns", {"user_id": 0, "item_id": "the film"}), "--column user_id=0 --column item_id='the film'"),
        (Setting("columns", {"timestamp": None}), "--column timestamp="),
        (Setting("columns"), "--column"),
        (Setting("encoding"), "--read encoding=…"),
        (Setting("header", True), "--read header=true"),
        (Setting("ids", "text"), "--ids text"),
        (Setting("by", ["gender", "age"]), "--by gender --by age"),
        (Setting("weighting", "none", "model"), "--param weighting=none"),
        (Setting("features", of="model"), "--param features=…"),
        (Setting("models", {"ease": {}}, "model"), "--param models='{\"ease\": {}}'"),
        (Setting("table", "name"), "--read table=name"),
    ],
)
def test_settings_of_readers_as_options(setting: Setting, said: str) -> None:
    assert (as_option if setting.name == "by" or setting.of == "model" else named_by("options"))(setting) == said


def test_a_command_that_reads_a_file_names_its_keys() -> None:
    """``audit run`` has no --query, no --ids and no --param: a file of TOML says all that."""
    copy_context().run(_in_a_job)


def _in_a_job() -> None:
    runs({"config", "workspace", "output"})
    assert as_option(Setting("ids", "text")) == 'ids = "text"'
    assert as_option(Setting("weighting", "none", "model")) == 'weighting = "none"'
    assert as_option(Setting("workspace", "shop")) == "--workspace shop"
    assert _problem("case").said(as_option, texts()).endswith("Write the ids alike.")
    assert "--" not in _problem("leading_zeros").said(as_option, texts())
    runs({"data", "query"})
    assert "--query" in _problem("case").said(as_option, texts()) and as_option(Setting("ids", "text")) == "--ids text"


def test_a_table_of_several_is_named() -> None:
    sayings: Mapping[Words, str] = {
        "options": "pass --read truth:header=true.",
        "toml": 'pass read = { "truth:header" = true }.',
        "python": "pass header=True.",
    }
    for words, said in sayings.items():
        with pytest.raises(DataError) as caught, translated(words, "truth:"):
            CASES["say_header"](Path())
        assert str(caught.value).endswith(said)


def test_warnings_are_said_in_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.warns(RecLensWarning) as caught:
        CASES["read_without_weights"](Path())
    _warn(caught[0].message)
    assert capsys.readouterr().err.rstrip().endswith("read the data without the column: --column weight=")
    _warn("of another library: quote='x'")
    assert capsys.readouterr().err == "reclens: of another library: quote='x'\n"


def _raised(call: Callable[[Path], object], folder: Path) -> RecLensError | RecLensWarning:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            made = call(folder)
        except (RecLensError, RecLensWarning) as error:
            return error
    assert isinstance(made, RecLensWarning), made
    return made


def _on_all(found: RecLensError | RecLensWarning) -> dict[str, str]:
    """What each surface says of the advice."""
    assert found.advice is not None
    about = named_by("options") if is_about_reading(found.advice) else as_option
    return {"python": str(found), "options": found.said(about, texts()), "page": said_on_page(found, as_field)}


def _without_options(text: str) -> str:
    return re.sub(r"--(read|column|param) [\w:]+=", "", text)
