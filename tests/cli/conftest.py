"""The command line as a process, and a workspace that a demo has filled."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer.main

from reclens.cli import main
from reclens.cli.app import app

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def run(repository: Path) -> Run:
    """Runs ``reclens ARGUMENTS`` in a folder; standard output and error come back as text. Status None: any."""

    def call(*arguments: str | Path, cwd: Path, status: int | None = 0) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "reclens", *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": str(repository / "src"), "COLUMNS": "160"}
        found = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
        wrong = status is not None and found.returncode != status
        assert not wrong, f"{arguments} ended with {found.returncode}:\n{found.stdout}\n{found.stderr}"
        return found

    return call


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


@pytest.fixture(scope="session")
def built() -> Any:
    """The commands, built once: Typer builds them anew at every call, which takes longer than most refusals."""
    return typer.main.get_command(app)


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


def _beside(name: str) -> ModuleType:
    """A module of this folder that is no test."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
