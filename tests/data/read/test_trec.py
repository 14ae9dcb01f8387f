"""TREC files, in and out, in the order of trec_eval."""

from __future__ import annotations

import gzip
from pathlib import Path

import ir_measures
import polars as pl
import pytest
from ir_measures import AP, RR, P, nDCG

from reclens.data.read.trec import read_qrels, read_run, write_qrels, write_run
from reclens.errors import DataError, UsageError
from reclens.schema import Recommendations

RUN = "u1 Q0 d3 1 9.5 bm25\nu1\tQ0  d1 2 7 bm25\nu2 Q0 d2 1 0.25 bm25\n"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_reading_a_run(tmp_path: Path) -> None:
    run = read_run(write(tmp_path / "a.run", RUN))
    assert run.name == "bm25"
    assert run.table.rows() == [("u1", "d3", 1, 9.5), ("u1", "d1", 2, 7.0), ("u2", "d2", 1, 0.25)]
    assert run.card["rules"] == []
    packed = tmp_path / "a.run.gz"
    packed.write_bytes(gzip.compress(RUN.encode()))
    assert read_run(packed, name="mine").name == "mine"


def test_the_score_decides_as_in_trec_eval(tmp_path: Path) -> None:
    path = write(tmp_path / "a.run", "1 Q0 a 1 0.1 x\n1 Q0 b 2 0.9 x\n1 Q0 c 3 0.1 x\n1 Q0 d 4 0.05 x\n")
    run = read_run(path)
    assert run.table["item_id"].to_list() == ["b", "c", "a", "d"]  # c before a: equal scores, falling text
    assert [(rule["code"], rule["count"]) for rule in run.card["rules"]] == [
        ("equal_scores_by_item", 1),
        ("ordered_by_score", 3),
    ]
    believed = read_run(path, order="rank")
    assert believed.table["item_id"].to_list() == ["a", "b", "c", "d"]


def test_ranks_from_zero_are_no_disagreement(tmp_path: Path) -> None:
    run = read_run(write(tmp_path / "a.run", "1 Q0 a 0 2 x\n1 Q0 b 1 1 x\n"))
    assert run.table["rank"].to_list() == [1, 2]
    assert run.card["rules"] == []


def test_ir_measures_sees_the_order_that_was_written(tmp_path: Path) -> None:
    """Ties and scores that contradict the ranks must not reach trec_eval as another order."""
    table = pl.DataFrame(
        {
            "user_id": ["u1"] * 3 + ["u2"] * 3,
            "item_id": ["a", "b", "c", "c", "b", "a"],
            "rank": [1, 2, 3, 1, 2, 3],
            "score": [0.5, 0.5, 0.9, 3.0, 2.0, 1.0],
        }
    )
    run = write_run(Recommendations(table, "my system"), tmp_path / "out.run")
    assert run.read_text().splitlines()[0] == "u1 Q0 a 1 -1 my_system"
    truth = pl.DataFrame({"user_id": ["u1", "u2", "u2"], "item_id": ["a", "b", "a"]})
    qrels = write_qrels(truth, tmp_path / "out.qrels")
    measured = ir_measures.calc_aggregate(
        [P @ 1, RR, AP, nDCG @ 3],
        list(ir_measures.read_trec_qrels(str(qrels))),
        list(ir_measures.read_trec_run(str(run))),
    )
    # u1: its item is first; u2: its two are second and third.
    assert measured[P @ 1] == 0.5
    assert measured[RR] == pytest.approx((1 + 1 / 2) / 2)
    assert measured[AP] == pytest.approx((1 + (1 / 2 + 2 / 3) / 2) / 2)


def test_round_trip_of_a_run(tmp_path: Path) -> None:
    table = pl.DataFrame(
        {"user_id": [2, 2, 1], "item_id": ["x", "07", "x"], "rank": [1, 2, 1], "score": [1.5, 1e-7, -3.0]},
        schema_overrides={"rank": pl.Int32},
    )
    back = read_run(write_run(Recommendations(table, "ease"), tmp_path / "r.run"))
    assert back.name == "ease"
    assert back.table.equals(table)
    without = table.drop("score")
    assert read_run(write_run(Recommendations(without), tmp_path / "s.run")).table.drop("score").equals(without)


def test_round_trip_of_qrels(tmp_path: Path) -> None:
    truth = pl.DataFrame({"user_id": [1, 1, 2], "item_id": ["a", "b", "a"], "relevance": [2, 0, -1]})
    path = write_qrels(truth, tmp_path / "q.txt", relevance="relevance")
    assert path.read_text() == "1 0 a 2\n1 0 b 0\n2 0 a -1\n"
    assert read_qrels(path).equals(truth)
    rated = truth.with_columns(pl.Series("rating", [5.0, 3.0, 1.0]))
    assert read_qrels(write_qrels(rated, path, relevance="rating"))["relevance"].to_list() == [5, 3, 1]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the file is empty"),
        ("1 Q0 a 1 0.5\n", "row 1: the line has 5 fields, expected 6"),
        ("1 Q0 a 1 0.5 x\n1 Q0 b two 0.4 x\n", "column 'rank', row 2"),
        ("1 Q0 a 1 0.5 x\n1 Q0 b 2 nan x\n", "column 'score', row 2: the number is missing"),
        ("1 Q0 a 1 high x\n", "column 'score', row 1: 'high' is not a number"),
        ("1 Q0 a 1 0.5 x\n1 Q0 b 2 0.4 y\n", "runs of 2 systems: x, y"),
    ],
)
def test_bad_runs(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        read_run(write(tmp_path / "a.run", text))


def test_an_item_twice(tmp_path: Path) -> None:
    run = read_run(write(tmp_path / "a.run", "1 Q0 a 1 3 x\n1 Q0 a 2 2 x\n1 Q0 b 3 1 x\n"))
    assert run.table["item_id"].to_list() == ["a", "b"]
    assert run.card["rules"][-1]["count"] == 1


def test_bad_qrels(tmp_path: Path) -> None:
    path = tmp_path / "q.txt"
    with pytest.raises(DataError, match="column 'relevance', row 1: 'yes' is not a whole number"):
        read_qrels(write(path, "1 0 a yes\n"))
    with pytest.raises(DataError, match="row 2: user 1 and item 'a' were judged before"):
        read_qrels(write(path, "1 0 a 1\n1 0 a 0\n"))
    with pytest.raises(DataError, match="it cannot be read: No such file"):
        read_qrels(tmp_path / "none")
    path.write_bytes(b"1 0 a 1\n1 0 \xe9 1\n")
    with pytest.raises(DataError, match="row 2: the byte 0xE9 is not UTF-8"):
        read_qrels(path)
    assert read_qrels(path, encoding="latin-1")["item_id"].to_list() == ["a", "é"]


def test_what_the_format_cannot_hold(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with pytest.raises(DataError, match=r"column 'item_id', row 1: the id 'a b'"):
        write_qrels(pl.DataFrame({"user_id": [1], "item_id": ["a b"]}), path)
    with pytest.raises(DataError, match=r"the relevance is 4\.5, expected a whole number"):
        write_qrels(pl.DataFrame({"user_id": [1], "item_id": [1], "rating": [4.5]}), path, relevance="rating")
    with pytest.raises(DataError, match="there twice"):
        write_qrels(pl.DataFrame({"user_id": [1, 1], "item_id": [1, 1]}), path)
    with pytest.raises(DataError, match="no column 'rating'"):
        write_qrels(pl.DataFrame({"user_id": [1], "item_id": [1]}), path, relevance="rating")
    with pytest.raises(UsageError, match="order is 'file'"):
        read_run(path, order="file")  # type: ignore[arg-type]
    assert not path.exists()
