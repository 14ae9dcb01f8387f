"""Every bad input on the command line: one line that says what to do here, or a rule that is counted and said."""

from __future__ import annotations

import json
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from reclens.cli import main

TRUTH = "user_id,item_id\n1,8\n2,9\n"
TRAIN = "user_id,item_id\n1,9\n2,7\n3,8\n"
LISTS = "user_id,item_id,rank\n1,8,1\n2,9,1\n"


@dataclass(frozen=True)
class Said:
    """What a command printed."""

    stdout: str
    stderr: str


@pytest.fixture
def evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Evaluates lists against a truth, in this process because there are many; each may be text or bytes."""
    monkeypatch.chdir(tmp_path)

    def call(lists: str | bytes = LISTS, truth: str | bytes = TRUTH, *more: str, train: str = TRAIN, status: int = 0):
        for name, content in (("lists.csv", lists), ("truth.csv", truth), ("train.csv", train)):
            Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
        command = ["evaluate", "lists.csv", "-t", "truth.csv", "--train", "train.csv", "-m", "mrr@1", "-f", "json"]
        monkeypatch.setattr(sys, "argv", ["reclens", *command, *more])
        with pytest.raises(SystemExit) as end:
            main()
        said = Said(*capsys.readouterr())
        assert (end.value.code or 0) == status, said
        return said

    return call


def value(said) -> float:
    return json.loads(said.stdout)["rows"][0]["value"]


@pytest.mark.parametrize(
    ("lists", "says"),
    [
        ("", "lists.csv: the file is empty"),
        ("user_id,item_id,rank\n", "lists.csv: there are no rows"),
        ("customer,sku,rank\n1,2,3\n", "Name it: --column lists:user_id=customer."),
        ("user_id,item_id,rank\n1,Amélie,1\n".encode("latin-1"), "such as --read lists:encoding=latin-1"),
        (b"\0\1\2", "lists.csv: this is not text"),
        ("user_id,item_id,rank\n1,8,1\n,8,2\n", "column 'user_id', row 2: the id is missing"),
        ("user_id,item_id,score\n1,8,nan\n", "column 'score', row 1: the number is missing"),
        ("user_id,item_id,score\n1,8,inf\n", "column 'score', row 1: the number is"),
        ("user_id,item_id,rank\n1,8,one\n", "column 'rank', row 1: 'one' is not a whole number"),
        ("user_id,item_id,rank\n1,8,1\n1,7,1\n", "row 2: user 1 has 8 and 7 at rank 1"),
        (
            "user_id,item_id,rank\n01,8,1\n",
            "no user of the lists is in the truth: '01' in the lists and 1, 2 in the truth. One side has lost",
        ),
    ],
)
def test_lists_that_cannot_be_used(evaluate, lists: str | bytes, says: str) -> None:
    assert says in evaluate(lists, status=2).stderr


@pytest.mark.parametrize(
    ("truth", "says"),
    [
        ("user_id,item_id\n1,8\n2,\n", "truth.csv, column 'item_id', row 2: the id is missing"),
        ("user_id,item_id,rating\n1,8,nan\n", "truth.csv, column 'rating', row 1: the number is missing"),
        ("user_id,item_id,rating\n1,8,inf\n", "truth.csv, column 'rating', row 1: the number is"),
        ("user_id,item_id,timestamp\n1,8,-5\n", "truth.csv, column 'timestamp', row 1: the time is -5"),
        ("user_id,item_id\n", "no user has a relevant item"),
        ("customer,sku\n1,2\n", "--column truth:user_id=customer"),
    ],
)
def test_truth_that_cannot_be_used(evaluate, truth: str, says: str) -> None:
    assert says in evaluate(LISTS, truth, status=2).stderr


@pytest.mark.parametrize(
    ("lists", "truth", "says", "expected"),
    [
        ("user_id,item_id,rank\n1,8,1\n1,8,2\n2,9,1\n", TRUTH, "repeated items dropped: 1", 1.0),
        ("user_id,item_id,rank\n1,8,4\n1,7,9\n2,9,3\n", TRUTH, "gaps in ranks closed: 3", 1.0),
        ("user_id,item_id,rank\n1,8,1\n77,8,1\n", TRUTH, "lists of users without truth, left out: 1", 0.5),
        ("user_id,item_id,rank\n1,555,1\n2,9,1\n", TRUTH, "recommendations outside the catalogue: 1", 0.5),
        (LISTS, "user_id,item_id\n1,8\n1,8\n2,9\n", "repeated pairs in the truth, counted once: 1", 1.0),
        (
            LISTS,
            "user_id,item_id,timestamp\n1,8,978300760000\n2,9,978300761000\n",
            "truth: times in milliseconds converted: 2",
            1.0,
        ),
    ],
)
def test_what_is_mended_is_said(evaluate, lists: str, truth: str, says: str, expected: float) -> None:
    said = evaluate(lists, truth)
    assert says in said.stderr and value(said) == expected


def test_ids_of_two_kinds_are_text_and_leading_zeros_stay(evaluate) -> None:
    mixed = evaluate("user_id,item_id,rank\nx,8,1\n2,9,1\n", "user_id,item_id\nx,8\n2,8\n", train=TRAIN + "x,9\n")
    assert value(mixed) == 0.5
    zeros = evaluate("user_id,item_id,rank\n01,8,1\n2,9,1\n", "user_id,item_id\n01,8\n2,9\n", train=TRAIN + "01,9\n")
    assert value(zeros) == 1.0


def test_rows_are_left_out_when_asked_for_and_counted_on_the_card(evaluate, tmp_path: Path) -> None:
    said = evaluate(
        "user_id,item_id,rank\n1,8,1\n,8,2\n",
        "user_id,item_id\n1,8\n2,\n2,9\n",
        "--read",
        "bad_rows=drop",
        "--keep",
        "mine",
    )
    assert "rows with a missing id left out: 1" in said.stderr
    assert "truth: rows with a missing id left out: 1" in said.stderr and value(said) == 0.5
    card = json.loads((tmp_path / "workspace" / "evaluation" / "mine" / "evaluation.json").read_text())["card"]
    assert [rule["count"] for rule in card["truth_rules"]] == [1]
    assert "bad_rows" in evaluate(LISTS, TRUTH, "--read", "bad_row=drop", status=2).stderr


def test_options_of_the_readers(run, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("Kunde~Film~when\nJürgen~1~31/12/2020\n".encode("latin-1"))
    said = run(
        "data",
        "info",
        "a.csv",
        "-c",
        "user_id=Kunde",
        "-c",
        "item_id=Film",
        "-c",
        "timestamp=when",
        "--read",
        "delimiter=~",
        "--read",
        "encoding=latin-1",
        "--read",
        "timestamp_format=%d/%m/%Y",
        "-f",
        "json",
        cwd=tmp_path,
    )
    measures = {row["measure"]: row["value"] for row in json.loads(said.stdout)["rows"]}
    assert measures["interactions"] == 1 and measures["first"].startswith("2020-12-31")
    query = "query=SELECT 1 AS user_id, i AS item_id FROM range(3) t(i)"
    assert run("data", "sql", "user_activity", "--read", query, "-f", "csv", cwd=tmp_path).stdout.startswith("user_id")
    assert "its layout is known" not in run("data", "info", "--read", "table=x", "a.csv", cwd=tmp_path, status=2).stderr


def test_bad_archives(run, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "climb.zip", "w") as archive:
        archive.writestr("../u.data", "1\t2\t3\t4\n")
    (tmp_path / "cut.zip").write_bytes((tmp_path / "climb.zip").read_bytes()[:60])
    for command in (["data", "info"], ["demo", "--data"], ["fit", "popular", "--data"]):
        assert "leads out of the archive's folder" in run(*command, "climb.zip", cwd=tmp_path, status=2).stderr
        assert "the zip is broken or was cut short" in run(*command, "cut.zip", cwd=tmp_path, status=2).stderr
    assert not (tmp_path / "u.data").exists() and not (tmp_path.parent / "u.data").exists()


def test_trec_files_in_and_out(run, tmp_path: Path) -> None:
    (tmp_path / "mine.run").write_text("a Q0 x 1 2.5 mine\na Q0 y 2 1.5 mine\nb Q0 y 1 3 mine\n")
    (tmp_path / "truth.qrels").write_text("a 0 y 2\nb 0 y 1\nb 0 z 0\n")
    said = run("evaluate", "mine.run", "-t", "truth.qrels", "-m", "mrr@5", "-f", "json", cwd=tmp_path)
    row = json.loads(said.stdout)["rows"][0]
    assert (row["system"], row["value"]) == ("mine", 0.75)
    assert "rows of the truth that are not relevant: 1" in said.stderr
    (tmp_path / "train.csv").write_text(TRAIN)
    run("fit", "popular", "-d", "train.csv", cwd=tmp_path)
    run("recommend", "popular", "-k", "2", "-u", "1", "--out", "popular.run", cwd=tmp_path)
    assert (tmp_path / "popular.run").read_text() == "1 Q0 7 1 -1 popular\n1 Q0 8 2 -2 popular\n"
    run("data", "convert", "train.csv", "train.qrels", cwd=tmp_path)
    assert (tmp_path / "train.qrels").read_text() == "1 0 9 1\n2 0 7 1\n3 0 8 1\n"


def test_item_to_item_lists_name_their_seed_and_metrics_their_other_names(evaluate) -> None:
    lists = "seed_item,item,rank\ntea,milk,1\ntea,jam,2\njam,bread,1\n"
    said = evaluate(
        lists,
        "seed_item,item\ntea,jam\njam,bread\nrice,salt\n",
        "-c",
        "user_id=seed_item",
        "-m",
        "HR@2",
        train="seed_item,item\ntea,salt\nrice,milk\n",
    )
    rows = {row["metric"]: row for row in json.loads(said.stdout)["rows"]}
    # Of three seeds two have a hit in the first two places, one in the first.
    assert (rows["hit_rate@2"]["n"], rows["hit_rate@2"]["value"]) == (3, pytest.approx(2 / 3))
    assert rows["mrr@1"]["value"] == pytest.approx(1 / 3)
    assert "HR@2 is hit_rate@2 here" in said.stderr and "users without a list: 1" in said.stderr
