"""A search that is killed goes on where it was, and ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from reclens.data.split import Split
from reclens.errors import DataError, WorkspaceError
from reclens.tuning import Tuning, tune
from reclens.workspace import Workspace

PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import tuning_world as world
from reclens.tuning import tune
models = [world.Dial(sleep=0.02), world.Other(sleep=0.02), "popular"]
tune(world.make_split(), models, method="halving", trials=12, folder=sys.argv[2])
"""


@pytest.fixture(scope="module")
def split(dial_world: ModuleType) -> Split:
    return dial_world.make_split()


def without_times(tuning: Tuning) -> list[dict]:
    rows = [row | {"seconds": 0} for row in (*tuning.trial_dicts(), *tuning.to_dicts())]
    return [*rows, *({"caution": caution} for caution in tuning.cautions)]


def whole_lines(folder: Path) -> int:
    file = folder / "trials.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a system with SIGKILL")
def test_a_killed_search_goes_on_and_ends_the_same(dial_world: ModuleType, split: Split, tmp_path: Path) -> None:
    folder = tmp_path / "search"
    command = [sys.executable, "-c", PROGRAM, str(Path(str(dial_world.__file__)).parent), str(folder)]
    done = 0
    for _ in range(2):  # killed in the first rung, and again later
        process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
        give_up = time.monotonic() + 120
        while whole_lines(folder) < done + 20 and process.poll() is None and time.monotonic() < give_up:
            time.sleep(0.01)
        assert process.poll() is None, "the search ended before it was killed"
        process.kill()
        process.wait()
        assert whole_lines(folder) >= done + 20
        done = whole_lines(folder)
    with (folder / "trials.jsonl").open("ab") as file:
        file.write(b'{"model": "dial", "number": 5, "ru')  # what a kill in the middle of a write leaves
    models = [dial_world.Dial(sleep=0.02), dial_world.Other(sleep=0.02), "popular"]
    dial_world.Dial.fits.clear()
    resumed = tune(split, models, method="halving", trials=12, folder=folder)
    before = [json.loads(line)["model"] for line in (folder / "trials.jsonl").read_text().splitlines()[:done]]
    assert len(dial_world.Dial.fits) == resumed["dial"].trials + resumed["other"].trials - sum(
        model != "popular" for model in before
    ), "a trial that was written down is not made again"
    assert without_times(resumed) == without_times(tune(split, models, method="halving", trials=12))


def test_a_finished_search_gives_its_outcome_at_once(dial_world: ModuleType, split: Split, tmp_path: Path) -> None:
    first = tune(split, [dial_world.Dial, "popular"], trials=4, folder=tmp_path)
    dial_world.Dial.fits.clear()
    again = tune(split, [dial_world.Dial, "popular"], trials=4, folder=tmp_path)
    assert not dial_world.Dial.fits
    assert again.to_dicts() == first.to_dicts() and again.trials == first.trials and again.cautions == first.cautions


def test_another_search_is_refused_with_the_reason(
    dial_world: ModuleType, split: Split, small_data, tmp_path: Path
) -> None:
    from reclens.data.split import random

    tune(split, [dial_world.Dial], trials=2, folder=tmp_path)
    with pytest.raises(WorkspaceError, match=r"They differ in trials: 2 there, 3 here\. Choose another name"):
        tune(split, [dial_world.Dial], trials=3, folder=tmp_path)
    with pytest.raises(WorkspaceError, match=r"models\.dial\.defaults\.dial: \"0\.8\" there, \"0\.4\" here"):
        tune(split, [dial_world.Dial(dial=0.4)], trials=2, folder=tmp_path)
    with pytest.raises(WorkspaceError, match=r"data\.train: .* data\.validation: "):
        tune(random(small_data, validation_share=0.1), [dial_world.Dial], trials=2, folder=tmp_path)
    assert len(tune(split, [dial_world.Dial], trials=2, folder=tmp_path).trials) == 2


def test_attributes_of_the_items_belong_to_the_search(small_data, tmp_path: Path) -> None:
    from dataclasses import replace

    import polars as pl

    from reclens.data.split import random

    made = random(small_data, validation_share=0.1)
    tune(made, ["popular"], folder=tmp_path)
    items = made.train.items.with_columns(genres=pl.col("genres").list.reverse())
    with pytest.raises(WorkspaceError, match=r"differ in data\.items"):
        tune(replace(made, train=replace(made.train, items=items)), ["popular"], folder=tmp_path)


def test_a_broken_journal_is_explained(dial_world: ModuleType, split: Split, tmp_path: Path) -> None:
    tune(split, [dial_world.Dial], trials=3, folder=tmp_path)
    lines = (tmp_path / "trials.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "trials.jsonl").write_text(lines[0] + "{}\n" + lines[2])
    with pytest.raises(WorkspaceError, match="line 2: it is no trial"):
        tune(split, [dial_world.Dial], trials=3, folder=tmp_path)
    (tmp_path / "trials.jsonl").write_text("".join(lines))
    (tmp_path / "summaries" / "dial-00001.npz").write_bytes(b"PK")
    with pytest.raises(WorkspaceError, match=r"dial-00001\.npz: it cannot be read"):
        tune(split, [dial_world.Dial], trials=3, folder=tmp_path)
    (tmp_path / "search.json").write_text("{")
    with pytest.raises(WorkspaceError, match=r"search\.json: it cannot be read"):
        tune(split, [dial_world.Dial], trials=3, folder=tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        tune(split, [dial_world.Dial], trials=3, folder=tmp_path / "file" / "search")


@pytest.mark.skipif(sys.platform == "win32", reason="needs locks that go with the process")
def test_two_processes_do_not_search_in_one_folder(dial_world: ModuleType, split: Split, tmp_path: Path) -> None:
    class Nosy(dial_world.Dial):
        def _fit(self, train, engine, progress) -> None:
            with pytest.raises(WorkspaceError, match="another process is searching here"):
                tune(split, [Nosy], trials=2, folder=tmp_path)
            super()._fit(train, engine, progress)

    assert len(tune(split, [Nosy], trials=2, folder=tmp_path).trials) == 2


def test_an_outcome_survives_the_workspace(dial_world: ModuleType, split: Split, tmp_path: Path) -> None:
    tuning = tune(split, [dial_world.Picky, "popular"], trials=8)
    workspace = Workspace(tmp_path)
    folder = workspace.save(tuning, "first")
    again = workspace.load("tuning", "first")
    assert again.to_dicts() == tuning.to_dicts() and again.trial_dicts() == tuning.trial_dicts()
    assert (again.cautions, again.notes, again.best) == (tuning.cautions, tuning.notes, tuning.best)
    assert again.to_toml(split={"kept": "first"}) == tuning.to_toml(split={"kept": "first"})
    found = workspace.sql("SELECT count(*) AS n FROM tuning_first_trials WHERE error IS NOT NULL")
    assert found["n"].item() == sum(trial.error is not None for trial in tuning.trials) > 0
    (folder / "trials.parquet").unlink()
    with pytest.raises(DataError, match="not a whole outcome"):
        Tuning.load(folder)
    with pytest.raises(DataError, match="not a whole tuning"):
        workspace.load("tuning", "first")
