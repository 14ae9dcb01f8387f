"""Several processes and one workspace: a name is given once, and readers see whole artefacts or none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from reclens.data.dataset import Dataset
from reclens.errors import NameTakenError, UnknownNameError
from reclens.workspace import Answer, Workspace, swap
from reclens.workspace.serializers import SERIALIZERS


def generation(n: int) -> Dataset:
    """A data set whose tables and card all say which one it is."""
    rows = pl.DataFrame({"user_id": [1, 2], "item_id": [1, 2], "rating": [float(n)] * 2})
    users = pl.DataFrame({"user_id": [1, 2], "generation": [n] * 2})
    return Dataset(rows, users=users, card={"generation": n})


def generations(data: Dataset) -> set[int]:
    assert data.users is not None
    return {data.card["generation"], *data.interactions["rating"].cast(int), *data.users["generation"]}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    place = Workspace(tmp_path / "work")
    place.save(generation(1), "mine")
    return place


@pytest.fixture(params=["exchange", "two steps"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Folders are exchanged where the system can, and moved one after the other where it cannot."""
    if request.param == "two steps":
        monkeypatch.setattr(swap, "_system_call", lambda: None)
    elif sys.platform not in ("linux", "darwin"):
        pytest.skip("this system has no call that exchanges two folders")
    return request.param


# ----------------------------------------------------------------------------------------------------------- one name

RACE = """
import os, sys
from reclens.errors import NameTakenError
from reclens.workspace import Workspace, serializers, store
exec(sys.stdin.read())
ready, go = os.pipe(), os.pipe()
kids = []
for i in range(4):
    if not (kid := os.fork()):
        os.write(ready[1], b'.')
        os.read(go[0], 1)
        try:
            Workspace(sys.argv[1]).save(generation(i), 'mine')
        except NameTakenError:
            os._exit(3)
        os._exit(0)
    kids.append(kid)
for _ in kids:
    os.read(ready[0], 1)
os.write(go[1], b'....')
print(sorted(os.waitstatus_to_exitcode(os.waitpid(kid, 0)[1]) for kid in kids))
"""

STRESS = """
import os, sys, time, traceback
import polars as pl
from reclens.errors import UnknownNameError
from reclens.workspace import Workspace, serializers
exec(sys.stdin.read())
end = time.monotonic() + float(sys.argv[2])
place = Workspace(sys.argv[1])

def write():
    n = 0
    while time.monotonic() < end:
        n += 1
        place.save(generation(n), 'mine', overwrite=True)
        place.save(generation(n), 'fleeting')
        place.remove('dataset', 'fleeting')
        if n % 5 == 0:
            place.restore('dataset', 'fleeting')
            place.remove('dataset', 'fleeting')
            place.clean()
    return n

def read():
    n = last = 0
    while time.monotonic() < end:
        n += 1
        listed = {each.name: each for each in place.list()}
        assert 'mine' in listed and set(listed) <= {'mine', 'fleeting'}, listed
        assert not any(each.broken for each in listed.values()), listed
        data = place.load('dataset', 'mine')
        assert len(generations(data)) == 1, generations(data)
        assert data.card['generation'] >= last, 'an older one than before'
        last = data.card['generation']
        try:
            place.load('dataset', 'fleeting')
        except UnknownNameError:
            pass
        place.card('dataset', 'mine'), place.tables(), place.stamps(), place.trash()
        if n % 8 == 0:
            joined = 'dataset_mine_interactions i, dataset_mine_users u'
            assert place.sql(f'SELECT rating = generation AS same FROM {joined}')['same'].all()
    return n

kids = []
for work in [write, *[read] * 5]:
    if not (kid := os.fork()):
        try:
            turns = work()
            # One write a line: print writes text and line end apart where it is not buffered by lines.
            os.write(1, f'{work.__name__} {turns}\\n'.encode())
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
    kids.append(kid)
sys.exit(sum(os.waitpid(kid, 0)[1] != 0 for kid in kids))
"""

forking = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


def forked(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program that forks, in a process that has used no thread of Polars yet."""
    given = Path(__file__).read_text(encoding="utf-8")
    helpers = given[given.index("def generation(") : given.index("@pytest.fixture")]
    helpers = "import polars as pl\nfrom reclens.data.dataset import Dataset\n" + helpers
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, input=helpers, capture_output=True, text=True, timeout=120)


@forking
def test_of_several_processes_that_save_one_name_exactly_one_wins(tmp_path: Path) -> None:
    done = forked(RACE, tmp_path / "work")
    assert done.stdout == "[0, 3, 3, 3]\n", done.stderr
    place = Workspace(tmp_path / "work")
    assert len(generations(place.load("dataset", "mine"))) == 1
    assert not list(place.folder.rglob(".writing-*"))


@forking
def test_a_writer_and_five_readers_run_without_an_error(workspace: Workspace) -> None:
    done = forked(STRESS, workspace.folder, "2")
    assert done.returncode == 0, done.stderr
    turns = dict.fromkeys(line.split()[0] for line in done.stdout.splitlines())
    assert list(turns) and set(turns) == {"write", "read"} and len(done.stdout.splitlines()) == 6
    assert not list(workspace.folder.rglob(".writing-*"))


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_name_that_is_taken_while_we_write_is_not_replaced_unsaid(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, way: str, overwrite: bool
) -> None:
    type_, write, read = SERIALIZERS["dataset"]
    turns: list[int] = []

    def overtaken(data: Dataset, folder: Path) -> dict:
        if not turns:
            turns.append(1)
            Workspace(workspace.folder).save(generation(7), "new")
        return write(data, folder)

    monkeypatch.setitem(SERIALIZERS, "dataset", (type_, overtaken, read))
    if overwrite:
        workspace.save(generation(8), "new", overwrite=True)
        assert [each.name for each in workspace.trash()] == ["new"], "what came in between is not lost"
    else:
        with pytest.raises(NameTakenError, match="new exists"):
            workspace.save(generation(8), "new")
        assert workspace.trash() == []
    assert generations(workspace.load("dataset", "new")) == {8 if overwrite else 7}


def test_what_is_replaced_lies_in_the_trash_whole(workspace: Workspace, way: str) -> None:
    workspace.save(generation(2), "mine", overwrite=True)
    assert generations(workspace.load("dataset", "mine")) == {2}
    assert [each.name for each in workspace.list()] == ["mine"]
    (old,) = workspace.trash()
    assert (old.kind, old.name) == ("dataset", "mine")
    assert json.loads((old.path / "card.json").read_text())["data"] == {"generation": 1}
    workspace.remove("dataset", "mine")
    workspace.restore("dataset", "mine")
    assert generations(workspace.load("dataset", "mine")) == {2}, "what was removed last"


@pytest.mark.skipif(swap._system_call() is None, reason="this system has no call that exchanges two folders")
def test_a_name_exists_at_every_step_of_an_overwrite(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[bool] = []
    rename = Path.rename

    def watched(self: Path, target: Path) -> Path:
        done = rename(self, target)
        steps.append((workspace.folder / "dataset" / "mine" / "card.json").is_file())
        return done

    monkeypatch.setattr(Path, "rename", watched)
    workspace.save(generation(2), "mine", overwrite=True)
    assert steps and all(steps)


def test_an_overwrite_of_what_is_removed_meanwhile_is_a_save(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    put, first = swap.put, [True]

    def late(folder: Path, home: Path) -> bool:
        free = put(folder, home)
        if not free and first:
            first.clear()
            shutil.rmtree(home)
        return free

    monkeypatch.setattr(swap, "put", late)
    workspace.save(generation(2), "mine", overwrite=True)
    assert generations(workspace.load("dataset", "mine")) == {2} and workspace.trash() == []


def test_what_is_being_written_is_not_listed(workspace: Workspace) -> None:
    half = workspace.folder / "dataset" / ".writing-half"
    shutil.copytree(workspace.folder / "dataset" / "mine", half)
    assert [each.name for each in workspace.list()] == ["mine"]
    assert all(name == "mine" for _, name, *_ in workspace.stamps())
    assert all("writing" not in name for name in workspace.views())
    with pytest.raises(UnknownNameError):
        workspace.load("dataset", ".writing-half")


# ------------------------------------------------------------------------------------------ what changes under a reader


def test_a_reader_gets_one_generation_whole(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    type_, write, read = SERIALIZERS["dataset"]
    turns: list[Path] = []

    def slow(folder: Path) -> Dataset:
        parts = pl.read_parquet(folder / "interactions.parquet")
        if not turns:  # replaced between two of its files
            Workspace(workspace.folder).save(generation(2), "mine", overwrite=True)
        turns.append(folder)
        return Dataset(parts, users=read(folder).users, card=read(folder).card)

    monkeypatch.setitem(SERIALIZERS, "dataset", (type_, write, slow))
    assert generations(workspace.load("dataset", "mine")) == {1}, "the one that it began with, from the trash"
    assert ".trash" in turns[1].parts and len(turns) == 2
    assert generations(workspace.load("dataset", "mine")) == {2}


def test_a_query_gets_one_generation_whole(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from reclens.workspace import tables

    asked: list[dict] = []

    def ask(files: dict, query: str, **limits: object) -> Answer:
        asked.append(files)
        if len(asked) == 1:
            Workspace(workspace.folder).save(generation(2), "mine", overwrite=True)
        return Answer(pl.read_parquet(files["dataset_mine_users"]).head(1))

    monkeypatch.setattr(tables, "ask", ask)
    assert workspace.query("SELECT * FROM dataset_mine_users", seconds=60).table["generation"].item() in (1, "1")
    assert ".trash" in asked[1]["dataset_mine_users"].parts


def test_what_vanishes_is_absent(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = workspace.folder / "dataset" / "gone"
    listed = [*workspace._folders("dataset"), gone]
    monkeypatch.setattr(Workspace, "_folders", lambda self, kind: listed if kind == "dataset" else [])
    assert [each.name for each in workspace.list()] == ["mine"]
    assert len(workspace.stamps()) == 1 and len(workspace.views()) == 2 and len(workspace.tables()) == 2
    for read in (workspace.load, workspace.card, workspace.remove):
        with pytest.raises(UnknownNameError, match="gone"):
            read("dataset", "gone")


def test_two_that_remove_or_restore_one_name(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    spare, first = Workspace._spare, [True]

    def late(self: Workspace, kind: str, name: str) -> Path:
        if first:
            first.clear()
            Workspace(self.folder).remove(kind, name)
        return spare(self, kind, name)

    monkeypatch.setattr(Workspace, "_spare", late)
    with pytest.raises(UnknownNameError):
        workspace.remove("dataset", "mine")
    workspace.save(generation(2), "mine")
    with pytest.raises(NameTakenError, match="exists again"):
        workspace.restore("dataset", "mine")
    assert generations(workspace.load("dataset", "mine")) == {2}
