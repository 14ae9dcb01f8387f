"""The workspace: whole artefacts or none, undo, and SQL (what it cannot do: test_workspace_sql.py)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import polars as pl
import pytest

from reclens import models
from reclens.data import split as splits
from reclens.data.dataset import as_dataset
from reclens.errors import DataError, UnknownNameError, UsageError, WorkspaceError
from reclens.evaluation import compare, evaluate
from reclens.files import write_bytes, write_text
from reclens.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "work")


@pytest.fixture(scope="module")
def artefacts(small_data) -> dict:
    split = splits.random(small_data, rng=1)
    fitted = {name: models.get(name)().fit(split.train) for name in ("popular", "item_knn")}
    runs = {name: model.recommend(k=10) for name, model in fitted.items()}
    results = {name: evaluate(run, split.test, train=split.train, replicates=100) for name, run in runs.items()}
    return {
        "dataset": small_data,
        "split": split,
        "model": fitted["item_knn"],
        "run": runs["item_knn"],
        "evaluation": results["item_knn"],
        "comparison": compare(results, baseline="popular"),
    }


def test_every_kind_survives(workspace: Workspace, artefacts: dict) -> None:
    for kind, artefact in artefacts.items():
        workspace.save(artefact, "mine")
        again = workspace.load(kind, "mine")
        assert type(again) is type(artefact)
    assert {each.kind for each in workspace.list()} == set(artefacts)
    assert workspace.load("dataset", "mine").interactions.equals(artefacts["dataset"].interactions)
    assert workspace.load("split", "mine").test.equals(artefacts["split"].test)
    assert workspace.load("model", "mine").recommend(k=10).table.equals(artefacts["run"].table)
    assert workspace.load("evaluation", "mine").to_dicts() == artefacts["evaluation"].to_dicts()
    assert workspace.load("comparison", "mine").to_dicts() == artefacts["comparison"].to_dicts()


def test_the_newest_comes_first_and_nothing_is_overwritten_by_accident(workspace: Workspace, small_data) -> None:
    workspace.save(small_data, "one")
    workspace.save(small_data, "two")
    assert [each.name for each in workspace.list("dataset")] == ["two", "one"]
    with pytest.raises(WorkspaceError, match="overwrite=True"):
        workspace.save(small_data, "one")
    workspace.save(small_data, "one", overwrite=True)
    assert [each.name for each in workspace.list("dataset")] == ["one", "two"]


def test_removing_can_be_undone(workspace: Workspace, small_data) -> None:
    workspace.save(small_data, "mine")
    workspace.remove("dataset", "mine")
    assert workspace.list() == []
    workspace.restore("dataset", "mine")
    assert workspace.load("dataset", "mine").interactions.equals(small_data.interactions)
    with pytest.raises(UnknownNameError):
        workspace.restore("dataset", "mine")


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "a b", "x" * 101, "nul\0"])
def test_names_stay_inside(workspace: Workspace, small_data, name: str) -> None:
    with pytest.raises(UsageError, match="no name"):
        workspace.save(small_data, name)
    with pytest.raises(UnknownNameError):
        workspace.load("dataset", name)


def test_a_failed_write_leaves_nothing(workspace: Workspace, small_data, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace.save(small_data, "mine")
    before = sorted(path.name for path in workspace.folder.rglob("*"))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    for name, overwrite in (("other", False), ("mine", True)):
        with pytest.raises(WorkspaceError, match="No space left"):
            workspace.save(small_data, name, overwrite=overwrite)
    assert sorted(path.name for path in workspace.folder.rglob("*")) == before


def test_a_killed_run_leaves_the_workspace_as_it_was(workspace: Workspace, small_data) -> None:
    workspace.save(small_data, "mine")
    program = (
        "import sys, time, polars as pl\n"
        "from reclens.workspace import Workspace\n"
        "from reclens.data.synthetic import synthetic_movielens\n"
        "data = synthetic_movielens(n_users=50, n_items=40, n_ratings=900)\n"
        "write = pl.DataFrame.write_parquet\n"
        "def slow(self, file, **options):\n"
        "    write(self, file, **options); print('writing', flush=True); time.sleep(60)\n"
        "pl.DataFrame.write_parquet = slow\n"
        "Workspace(sys.argv[1]).save(data, 'mine', overwrite=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(workspace.folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "writing\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert [each.name for each in workspace.list()] == ["mine"]
    assert workspace.load("dataset", "mine").interactions.equals(small_data.interactions)


def test_broken_artefacts_are_explained(workspace: Workspace, small_data) -> None:
    folder = workspace.save(small_data, "mine")
    (folder / "interactions.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"mine: not a whole dataset \('interactions.parquet' is not what was written"):
        workspace.load("dataset", "mine")
    (folder / "card.json").write_text("{")
    assert workspace.list()[0].broken
    with pytest.raises(UnknownNameError, match="Did you mean 'mine'"):
        workspace.load("dataset", "mime")
    with pytest.raises(UnknownNameError, match="Did you mean 'dataset'"):
        workspace.load("datasets", "mine")


def test_sql_reads_the_artefacts(workspace: Workspace, small_data) -> None:
    workspace.save(small_data, "my-data")
    assert "dataset_my_data_interactions" in workspace.views()
    found = workspace.sql("SELECT count(*) AS n FROM dataset_my_data_interactions")
    assert found["n"].to_list() == [6000]
    assert workspace.sql("SELECT 1 AS a, 2 AS a FROM range(5)", limit=2).rows() == [(1, 2), (1, 2)]


def test_two_writers_do_not_mix(workspace: Workspace) -> None:
    program = (
        "import sys\nfrom reclens.workspace import Workspace\n"
        "from reclens.data.synthetic import synthetic_movielens\n"
        "data = synthetic_movielens(n_users=50, n_items=40, n_ratings=900, rng=int(sys.argv[2]))\n"
        "for turn in range(5):\n    Workspace(sys.argv[1]).save(data, f'{sys.argv[2]}-{turn}')\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, str(workspace.folder), seed]) for seed in ("1", "2")]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert len(workspace.list("dataset")) == 10
    assert not list(workspace.folder.rglob(".writing-*"))


# ------------------------------------------------------------------------------------------------- files that are there


def test_a_device_is_written_through_and_stays_a_device() -> None:
    write_text(Path("/dev/null"), "gone")
    assert Path("/dev/null").is_char_device()


def test_a_named_pipe_is_written_through(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_bytes(pipe, b"through")
    reader.join(10)
    assert got == [b"through"] and pipe.is_fifo()


def test_of_a_link_the_file_that_it_names_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link, dangling = tmp_path / "there" / "real.csv", tmp_path / "link.csv", tmp_path / "dangling.csv"
    target.write_text("old")
    link.symlink_to(target)
    dangling.symlink_to(tmp_path / "there" / "new.csv")
    write_text(link, "new")
    write_text(dangling, "made")
    assert link.is_symlink() and target.read_text() == "new" and not target.is_symlink()
    assert dangling.is_symlink() and (tmp_path / "there" / "new.csv").read_text() == "made"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["dangling.csv", "link.csv", "there"]


def test_a_file_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("old")
    secret.chmod(0o600)
    write_text(secret, "new")
    assert secret.read_text() == "new" and secret.stat().st_mode & 0o777 == 0o600


def test_a_folder_is_no_file_to_write(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="is a folder"):
        write_text(tmp_path, "x")
    assert list(tmp_path.iterdir()) == []


def test_a_dash_is_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write_text(Path("-"), "a,b\n")
    assert capfdbinary.readouterr().out == b"a,b\n" and not Path("-").exists()


REFUSED = [
    "CON",
    "nul",
    "Aux.v2",
    "COM1",
    "lpt9.csv",
    "mine.",
    "mine..",
    "mine ",
    " mine",
    "a/b",
    "..",
    ".mine",
    "a\\b",
]


@pytest.mark.parametrize("name", [*REFUSED, ""])
def test_names_that_file_systems_refuse_are_refused(tmp_path: Path, name: str) -> None:
    data = as_dataset(pl.DataFrame({"user_id": [1], "item_id": [2]}))
    with pytest.raises(UsageError, match="is no name for an artefact"):
        Workspace(tmp_path).save(data, name)
    assert not list(tmp_path.iterdir())


def test_names_that_differ_in_case_alone_are_one(tmp_path: Path) -> None:
    data, place = as_dataset(pl.DataFrame({"user_id": [1], "item_id": [2]})), Workspace(tmp_path)
    place.save(data, "Mine")
    for overwrite in (False, True):
        with pytest.raises(WorkspaceError, match="holds 'Mine', which is 'mine' where file systems do not tell"):
            place.save(data, "mine", overwrite=overwrite)
    place.save(data, "Mine", overwrite=True)
    place.save(data, "console")
    assert {each.name for each in place.list()} == {"Mine", "console"}
