"""Data of a task: the same each time, held against what lies in the folder, and against the hash in an export."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import reclens
from reclens.errors import DataError
from reclens.learn.data_files import check_data, digest_of_data
from reclens.learn.drill import Drill
from reclens.learn.exercise import Draw, exercise_of
from reclens.learn.learner import Learner
from reclens.learn.verify import Replayed, verify
from reclens.report.learn.tables import replay_table

DRILL = "2.a"


class Sealed(Drill):
    """A task whose data are drawn from an answer, as those of 4.1 and 5.3."""

    code = "9.z"
    name = "sealed"
    files = ("answer.toml",)
    mistakes = ()

    def make(self, rng: Any) -> Any:
        raise NotImplementedError

    def write_data(self, draw: Draw, folder: Path) -> None:
        text = (folder / "answer.toml").read_text()
        (folder / "log").mkdir(exist_ok=True)
        rows = pl.DataFrame({"x": [len(text), 2], "y": [1 / 3, draw.seed / 7], "z": [["a"], ["b", "c"]]})
        rows.write_parquet(folder / "log" / "day.parquet")
        (folder / "settings.toml").write_text("x = 1")


def test_data_are_compared_by_their_rows(tmp_path: Path) -> None:
    task, draw, answer = Sealed(), Draw(1, "9.z"), {"answer.toml": "x = 1"}
    (tmp_path / "answer.toml").write_text(answer["answer.toml"])
    task.write_data(draw, tmp_path)
    digest = check_data(task, draw, answer, tmp_path)
    assert digest == digest_of_data(task, draw, answer)
    assert digest != digest_of_data(task, Draw(2, "9.z"), answer)
    assert digest != digest_of_data(task, draw, {"answer.toml": "x = 11"})
    (tmp_path / "notes.csv").write_text("mine")
    (tmp_path / "settings.toml").write_text("x = 2")
    path = tmp_path / "log" / "day.parquet"
    rows = pl.read_parquet(path)
    rows.with_columns(pl.col("y") * (1 + 1e-14)).write_parquet(path, compression="uncompressed")
    assert check_data(task, draw, answer, tmp_path) == digest, "another writer, and the last digits of a float"
    for write in (
        lambda: rows.with_columns(pl.col("y") * (1 + 1e-6)).write_parquet(path),
        lambda: rows.reverse().write_parquet(path),
        lambda: path.write_bytes(b"PAR1"),
        path.unlink,
        path.mkdir,
    ):
        write()
        with pytest.raises(DataError, match=r"day\.parquet is not what the task has for you.*reclens learn start 9\.z"):
            check_data(task, draw, answer, tmp_path)


def test_an_answer_on_other_data_is_no_attempt(tmp_path: Path) -> None:
    learner, drill = Learner(tmp_path), exercise_of(DRILL)
    learner.start(DRILL)
    place = learner.place(drill)
    drill.solve(learner.draw(drill), place)
    data = (place / "data.csv").read_text()
    (place / "data.csv").write_text(data + "\n")
    with pytest.raises(DataError, match=r"data\.csv is not what the task has"):
        learner.check(DRILL)
    assert learner.progress is not None and learner.progress.attempts == []
    learner.start(DRILL)
    assert (place / "data.csv").read_text() == data and learner.check(DRILL).passed


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    learner, drill = Learner(tmp_path_factory.mktemp("learner")), exercise_of(DRILL)
    learner.start(DRILL)
    learner.check(DRILL)
    drill.solve(learner.draw(drill), learner.place(drill))
    learner.check(DRILL)
    return learner.export()


def replayed(export: dict[str, Any], place: Path, change: Callable[[dict[str, Any]], object]) -> tuple[Any, Replayed]:
    """The replay of an export whose last attempt was changed."""
    held = json.loads(json.dumps(export))
    change(held["progress"]["attempts"][-1])
    path = place / "learn.json"
    path.write_text(json.dumps(held))
    found = verify(path)
    return found, found.replayed[-1]


@pytest.mark.parametrize(
    ("changes", "code", "solved", "said"),
    [
        ({}, None, [DRILL], ""),
        ({"data": ""}, None, [DRILL], ""),
        ({"data": "0" * 64}, "data_not_of_seed", [], "was edited, or the attempt was made with other data"),
        ({"data": "0" * 64, "version": "0.0.1"}, "data_of_other_version", [], "Replay it with RecLens 0.0.1"),
        ({"version": "0.0.1"}, None, [DRILL], ""),
        ({"passed": False}, "replay_other_result", [DRILL], "another result now"),
        ({"answer": {"answer.toml": "0" * 64}}, "replay_no_answer", [], "not in the file"),
        ({"answer": {}}, "replay_refused", [], r"answer.toml is missing"),
        ({"exercise": "9.9"}, "replay_no_exercise", [], "no exercise 9.9"),
    ],
)
def test_a_replay_compares_results_and_data(
    export: dict[str, Any], tmp_path: Path, changes: dict[str, Any], code: str | None, solved: list[str], said: str
) -> None:
    assert export["progress"]["attempts"][-1]["version"] == reclens.__version__
    found, last = replayed(export, tmp_path, lambda attempt: attempt.update(changes))
    assert (last.finding.code if last.finding else None) == code
    assert (found.reproduced, found.solved) == (2 - (code is not None), solved)
    table = replay_table(found.rows())
    assert said in table.rows[-1][-1] and "facts" not in table.records[-1]
