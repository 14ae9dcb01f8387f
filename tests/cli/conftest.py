"""The command line as a process, and a workspace that a demo has filled."""

from __future__ import annotations

import functools
import importlib.util
import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pytest
import typer.main

from reclens.cli import main, progress
from reclens.data.read import sources
from reclens.models import Recommender
from reclens.stats.summary import Summary
from reclens.workspace import Workspace

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def run(in_process: Run) -> Run:
    """Runs ``reclens ARGUMENTS`` in a folder; standard output and error come back as text. Status None: any."""

    def call(*arguments: str | Path, cwd: Path, status: int | None = 0) -> subprocess.CompletedProcess[str]:
        return _checked(in_process(*arguments, cwd=cwd), status)

    return call


@pytest.fixture(scope="session")
def new_process(repository: Path) -> Run:
    """The same in a process of its own, which takes seconds: for what only a new process shows."""

    def call(*arguments: str | Path, cwd: Path, status: int | None = 0) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "reclens", *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": str(repository / "src"), "COLUMNS": "160"}
        found = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
        return _checked(found, status)

    return call


def _checked(found: subprocess.CompletedProcess[str], status: int | None) -> subprocess.CompletedProcess[str]:
    wrong = status is not None and found.returncode != status
    assert not wrong, f"{found.args} ended with {found.returncode}:\n{found.stdout}\n{found.stderr}"
    return found


@pytest.fixture(scope="session")
def demo(run: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A folder with the workspace of ``reclens demo``, and what it said."""
    folder = tmp_path_factory.mktemp("demo")
    return folder, run("demo", cwd=folder)


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it said; standard error in one line."""

    status: int
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small file of every kind, and a workspace; nothing may be written into it."""
    folder = tmp_path_factory.mktemp("shop")
    module = _beside("shop")
    module.fill(folder)
    module.keep(folder)
    return folder


@pytest.fixture(scope="session")
def option_table() -> ModuleType:
    """``option_table.py``: every command and option, and what each refuses."""
    return _beside("option_table")


@pytest.fixture
def typed(built: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs a command in this process, in a folder."""
    monkeypatch.setattr(typer.main, "get_command", lambda _: built)

    def call(*words: str, cwd: Path) -> Said:
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", ["reclens", *words])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        code = end.value.code
        return Said(code if isinstance(code, int) else 0, said.out, " ".join(said.err.replace("│", " ").split()))

    return call


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a command reads or computes while no step is shown, as it comes: anything here may take minutes."""
    found: list[str] = []
    shown: set[int] = set()
    wait, stop = progress._Lines._wait, progress._Lines._stop

    def begins(lines: progress._Lines) -> None:
        shown.add(id(lines))
        wait(lines)

    def ends(lines: progress._Lines) -> None:
        shown.discard(id(lines))
        stop(lines)

    def watch(owner: Any, name: str) -> None:
        held = inspect.getattr_static(owner, name)
        own = held.__func__ if isinstance(held, classmethod) else held

        @functools.wraps(own)
        def watched(*arguments: Any, **named: Any) -> Any:
            if not shown:
                found.append(f"{getattr(owner, '__name__', owner)}.{name}")
            return own(*arguments, **named)

        monkeypatch.setattr(owner, name, classmethod(watched) if isinstance(held, classmethod) else watched)

    monkeypatch.setattr(progress._Lines, "_wait", begins)
    monkeypatch.setattr(progress._Lines, "_stop", ends)
    for owner, name in (
        (sources, "_loaded"),
        (Workspace, "load"),
        (Workspace, "query"),
        (duckdb, "connect"),
        (Recommender, "fit"),
        (Recommender, "recommend"),
        (Summary, "of"),
    ):
        watch(owner, name)
    return found


def _beside(name: str) -> ModuleType:
    """A module of this folder that is no test."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
