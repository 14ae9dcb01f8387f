"""The command line as a process, and a workspace that a demo has filled."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

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
