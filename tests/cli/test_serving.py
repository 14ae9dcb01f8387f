"""``recommend`` with what comes with a request, and ``similar``: what Python answers, and cases computed by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from reclens import models
from reclens.data import split
from reclens.data.dataset import Dataset
from reclens.report import explanation_text
from reclens.workspace import Workspace

FILES = {
    "some.csv": "item_id\n11\n15\n999\n",
    "own.csv": "user_id,item_id\n1,12\n2,15\n7,10\n",
    "own_uid.csv": "customer,sku\n1,12\n2,15\n",
    "new.csv": "user_id,item_id\n901,10\n901,12\n1,12\n",
    "lost.csv": "user_id,item_id\nx,999\n",
    "broken.csv": "user_id,item_id\n901,10\n901,\n",
    "text.csv": "item_id\na\nb\n",
    "text_users.csv": "user_id,item_id\na,10\n",
    "no_items.csv": "user_id,x\n1,2\n",
    "unknown.csv": "item_id\n998\n999\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, two_towns: Callable[[], Dataset]) -> Path:
    """Files, and a workspace with models of two towns; ``named`` learned the same with ids that are text."""
    folder = tmp_path_factory.mktemp("serving")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    place, data = Workspace(folder / "workspace"), two_towns()
    for model in (models.ItemKNN(shrinkage=0), models.Popular(), models.EASE()):
        place.save(model.fit(data), model.name)
    text = (
        pl.concat([data.interactions, frame([(9, 32)])])
        .with_columns(pl.all().cast(str))
        .with_columns(pl.col("item_id").replace({"32": "new-1"}))
    )
    place.save(models.Popular().fit(Dataset(text)), "named")
    rated = frame([(user, item) for user in range(1, 6) for item in (10, 11, 12)]).with_columns(
        rating=pl.Series([float(1 + at % 5) for at in range(15)])
    )
    place.save(models.UserKNN(feedback="explicit").fit(Dataset(rated)), "rated")
    made = split.by_user(data, test_share=0.3, rng=0)
    place.save(made, "by_users")
    place.save(models.ItemKNN().fit(made.train), "cold")
    return folder


@pytest.fixture
def asked(typed: Callable[..., Any], folder: Path) -> Callable[..., list[dict[str, Any]]]:
    """The rows that a command writes as JSON."""

    def call(words: str) -> list[dict[str, Any]]:
        said = typed(*words.split(), "--format", "json", cwd=folder)
        assert said.status == 0, said.stderr
        return json.loads(said.stdout)["rows"]

    return call


def frame(rows: list[tuple]) -> pl.DataFrame:
    return pl.DataFrame(rows, ["user_id", "item_id"], orient="row")


def items_by_user(rows: list[dict[str, Any]]) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    for row in rows:
        found.setdefault(row["user_id"], []).append(row["item_id"])
    return found


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        # User 1 has 10, 11 and 15; user 2 has 11, 12 and 15.
        ("-u 1 -u 2", {1: [12, 14, 13], 2: [14, 10, 13]}),
        ("-u 1 --seen --exclude some.csv", {1: [12, 14, 10]}),
        ("-u 1 -u 2 --seen --exclude own.csv", {1: [15, 11, 14], 2: [11, 12, 14]}),
        (
            "-u 1 -u 2 --seen --exclude own_uid.csv -c user_id=customer -c item_id=sku",
            {1: [15, 11, 14], 2: [11, 12, 14]},
        ),
        ("-u 1 -u 2 --seen --exclude own.csv -c user_id=", {1: [11, 14, 13], 2: [11, 14, 13]}),
        ("-u 1 -u 4 --candidates some.csv", {4: [11]}),
        ("-u 1 -u 2 -u 3 --seen --candidates own.csv", {1: [12], 2: [15]}),
        ("-u 4 --seen --candidates some.csv --exclude own.csv -c exclude:user_id=", {4: [11]}),
        # Without --user the users of the history are served: 901 has 10 and 12 now, and 1 has 12 beside her own.
        ("--history new.csv", {901: [15, 11, 14], 1: [14, 13, 20]}),
        ("--history new.csv --history-mode replace", {901: [15, 11, 14], 1: [15, 11, 14]}),
        ("-u 1 --history new.csv --history-mode replace --exclude some.csv", {1: [14, 10, 13]}),
    ],
)
def test_a_request_by_hand(asked, words: str, expected: dict[int, list[int]]) -> None:
    assert items_by_user(asked(f"recommend popular -k 3 {words}")) == expected


@pytest.mark.parametrize(
    ("words", "request_"),
    [
        ("", {}),
        ("--history new.csv", {"history": "new.csv"}),
        ("--history new.csv --history-mode replace", {"history": "new.csv", "history_mode": "replace"}),
        (
            "--history new.csv --candidates own.csv --seen",
            {"history": "new.csv", "candidates": "own.csv", "exclude_seen": False},
        ),
        ("--exclude own.csv --cold-users none", {"exclude": "own.csv", "cold_users": "none"}),
    ],
)
def test_a_personal_model_answers_as_in_python(asked, folder: Path, words: str, request_: dict[str, Any]) -> None:
    given = {
        name: pl.read_csv(folder / value) if str(value).endswith(".csv") else value for name, value in request_.items()
    }
    model: Any = Workspace(folder / "workspace").load("model", "ease")
    expected = model.recommend(k=4, **given).table
    got = pl.DataFrame(asked(f"recommend ease -k 4 {words}"))
    assert got.select("user_id", "item_id", "rank").rows() == expected.select("user_id", "item_id", "rank").rows()
    np.testing.assert_allclose(got["score"], expected["score"], rtol=1e-6)


def test_cold_users_get_what_is_popular_or_nothing(asked, typed, folder: Path) -> None:
    """Of x no item is known; the item of user 8 leads nowhere; 999 is served where it is said what she gets."""
    for words in ("--history lost.csv", "-u x --history lost.csv", "-u 8", "-u 999 --cold-users popular"):
        rows = asked(f"recommend item_knn -k 3 {words}")
        assert [(row["item_id"], row["score"]) for row in rows] == [(15, 4), (11, 3), (12, 2)]
        said = typed("recommend", "item_knn", *words.split(), "--cold-users", "none", cwd=folder)
        assert said.status == 0 and "users without a list: 1" in said.stderr


def test_the_reasons_are_those_of_the_history(asked, folder: Path) -> None:
    """User 1 has only 12 in its place, which speaks for 11, 13 and 15."""
    rows = asked("recommend item_knn -u 1 --history new.csv --history-mode replace --explain")
    model: Any = Workspace(folder / "workspace").load("model", "item_knn")
    history = pl.read_csv(folder / "new.csv")
    assert {row["item_id"] for row in rows} == {11, 13, 15}
    for row in rows:
        why = model.explain(1, row["item_id"], history=history, history_mode="replace")
        assert row["why"] == explanation_text(why) and [each for each, _ in why.reasons] == [12]


def test_rows_and_items_that_are_left_out_are_said(typed, folder: Path) -> None:
    said = typed("recommend", "popular", "-u", "1", "--exclude", "some.csv", cwd=folder)
    assert "excluded items that the model does not know: 1" in said.stderr
    words = "recommend popular --history broken.csv"
    said = typed(*words.split(), cwd=folder)
    assert said.status != 0 and "broken.csv" in said.stderr
    said = typed(*words.split(), "--read", "bad_rows=drop", cwd=folder)
    assert said.status == 0 and "history: " in said.stderr and ": 1 (" in said.stderr


def test_whole_numbers_of_a_file_are_the_text_that_a_model_knows(asked) -> None:
    found = items_by_user(asked("recommend named -k 3 -u 1 -u 2 --seen --exclude own.csv"))
    assert found == {"1": ["15", "11", "14"], "2": ["11", "12", "14"]}
    found = items_by_user(asked("recommend named -k 3 --history new.csv --exclude own.csv"))
    assert found == {"901": ["15", "11", "14"], "1": ["14", "13", "20"]}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("popular --cold-users none", "--cold-users"),
        ("item_knn --history-mode add", "--history-mode"),
        ("item_knn --history new.csv --history-mode ad", "'ad'"),
        ("item_knn --cold-users popula", "'popula'"),
        ("item_knn -u 999", "999"),
        ("item_knn -u 999 --cold-users popular --explain", "999"),
        ("item_knn -u nosuch --cold-users popular", "nosuch"),
        ("item_knn -u 902 --history new.csv", "902"),
        ("item_knn -u y --history lost.csv", "'y'"),
        ("cold --split by_users --history new.csv", "--history"),
        ("rated --history new.csv", "user_knn"),
        ("item_knn -c user_id=customer", "--column"),
        ("item_knn --ids text", "--ids"),
        ("item_knn --exclude own_uid.csv -c usr_id=customer -c item_id=sku", "'usr_id'"),
        ("item_knn --exclude nosuch.csv", "nosuch.csv"),
        ("item_knn --exclude no_items.csv", "item_id"),
        ("item_knn --history some.csv", "user_id"),
        ("item_knn --candidates text.csv", "text.csv"),
        ("item_knn --exclude text_users.csv", "text_users.csv"),
        ("item_knn --candidates unknown.csv", "998"),
        ("item_knn --exclude - --candidates -", "exclude and candidates"),
    ],
)
def test_a_request_that_cannot_be_answered_is_refused(typed, folder: Path, words: str, named: str) -> None:
    said = typed("recommend", *words.split(), cwd=folder)
    assert said.status == 2 and said.stdout == "" and named in said.stderr, said


def test_similar_items_by_hand(asked, typed, folder: Path) -> None:
    """User 1 alone has 10, with 11 (of 3 users) and 15 (of 4), so it is 11 that is nearer.

    The cosines are 1 ÷ √(1 × 3) and 1 ÷ √(1 × 4).
    """
    rows = asked("similar 10 20 10 --model item_knn -k 2")
    assert [(row["seed_item"], row["item_id"], row["rank"]) for row in rows] == [(10, 11, 1), (10, 15, 2)]
    assert [row["score"] for row in rows] == pytest.approx([3**-0.5, 0.5], rel=1e-6)
    assert [row["item_id"] for row in asked("similar 10 --model item_knn -k 1")] == [11]
    said = typed("similar", "10", "20", "-m", "item_knn", cwd=folder)
    assert said.status == 0 and "items without a similar one: 20" in said.stderr
    model: Any = Workspace(folder / "workspace").load("model", "ease")
    got, expected = asked("similar 15 11 -m ease"), model.similar_items([15, 11]).to_dicts()
    assert [(row["seed_item"], row["item_id"]) for row in got] == [
        (row["seed_item"], row["item_id"]) for row in expected
    ]
    assert [row["score"] for row in got] == pytest.approx([row["score"] for row in expected], rel=1e-6)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("nosuch -m item_knn", "nosuch"),
        ("10 999 -m item_knn", "999"),
        ("10 -m nosuch", "nosuch"),
        ("10 -m popular", "popular does not know"),
        ("10 -m item_knn -k 0", "'-k'"),
        ("10", "--model"),
        ("-m item_knn", "'item'"),
    ],
)
def test_similar_refuses_by_name(typed, folder: Path, words: str, named: str) -> None:
    said = typed("similar", *words.split(), cwd=folder)
    assert said.status == 2 and said.stdout == "" and named in said.stderr, said
