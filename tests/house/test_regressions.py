"""`make bench`: what counts as slower, by hand, and that every piece has a committed result of a form it can read."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import regressions

HERE, ELSEWHERE = {"processor": "one"}, {"processor": "another"}


def result(machine: dict[str, str], **tasks: dict[str, float]) -> dict[str, object]:
    rows = {task: {name: {"cpu_s": seconds} for name, seconds in row.items()} for task, row in tasks.items()}
    return {"machine": machine, "results": rows}


def outcomes(before: dict[str, object], now: dict[str, object] | None) -> list[tuple[str, str, float, float, str]]:
    return [(c.task, c.beside, c.before, c.now, c.outcome) for c in regressions.compare("piece", before, now)]


def test_the_ratio_to_a_peer_counts_on_any_machine():
    before = result(HERE, a={"reclens": 1.0, "peer": 8.0}, b={"reclens": 1.0, "peer": 8.0})
    # Half as fast a machine: 2 s beside 16 s is as before, and 4 s beside 16 s is slower.
    now = result(ELSEWHERE, a={"reclens": 2.0, "peer": 16.0}, b={"reclens": 4.0, "peer": 16.0})
    assert outcomes(before, now) == [("a", "peer", 8.0, 8.0, "as before"), ("b", "peer", 8.0, 4.0, "slower")]


def test_ways_of_ours_are_no_peers_and_a_peer_that_did_not_run_is_left_out():
    before = result(HERE, a={"reclens": 1.0, "reclens, with intervals": 3.0, "p": 2.0, "q": 9.0})
    assert outcomes(before, result(HERE, a={"reclens": 0.5, "p": 2.0})) == [("a", "p", 2.0, 4.0, "faster")]


@pytest.mark.parametrize(
    ("machine", "seconds", "outcome"),
    [
        (HERE, 1.3, "as before"),
        (HERE, 1.4, "slower"),  # 1 ÷ 1.4 = .71
        (HERE, 0.7, "faster"),
        (ELSEWHERE, 9.0, "other processor"),
    ],
)
def test_seconds_alone_count_on_the_same_processor(machine: dict[str, str], seconds: float, outcome: str):
    now = result(machine, a={"reclens": seconds})
    assert outcomes(result(HERE, a={"reclens": 1.0}), now) == [("a", "", 1.0, seconds, outcome)]


def test_what_did_not_run_is_said_and_other_sizes_are_left_out():
    before = result(HERE, a={"reclens": 1.0}, b={"reclens": 5.0})
    assert [row[0] for row in outcomes(before, result(HERE, a={"reclens": 1.0}))] == ["a"]
    assert [row[-1] for row in outcomes(before, None)] == ["not run", "not run"]


def test_a_piece_without_data_or_time_does_not_run(tmp_path: Path):
    needs_data = regressions.Piece("knn", ("--data", "{data}"), seconds=5)
    assert regressions.run(needs_data, tmp_path, data=None, seconds=600) is None
    assert regressions.run(needs_data, tmp_path, data=tmp_path, seconds=4) is None
    assert not list(tmp_path.iterdir())


def test_every_piece_has_a_committed_result_and_together_they_fit():
    folder = Path(regressions.__file__).parent
    for piece in regressions.PIECES:
        assert (folder / f"bench_{piece.name}.py").exists()
        rows = regressions.rows_of(json.loads((folder / "results" / f"{piece.name}.json").read_text()))
        assert all("reclens" in row for row in rows.values())
        assert all((folder / "requirements" / f"{peer}.txt").exists() for peer in piece.peers)
    assert sum(piece.seconds for piece in regressions.PIECES) <= 600


def test_every_path_within_twice_its_floor_or_a_line_that_says_why_not():
    folder = Path(regressions.__file__).parent / "results"
    content = json.loads((folder / "floors.json").read_text())
    assert content["results"].keys() == content["about"].keys()
    for name, row in content["results"].items():
        about = content["about"][name]
        assert about["floor_is"], name
        if row["reclens"]["cpu_s"] > 2 * row["floor"]["cpu_s"]:
            assert about["rest"], f"{name}: say what more than twice the floor is spent on, and why it stays"
