"""Kernels are compiled when they are first called, and call each other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reclens.kernels import kernel


@kernel("int64(int64)")
def _double(value):
    return 2 * value


@kernel("int64(int64)")
def _double_and_one(value):
    return _double(value) + 1


def test_a_kernel_calls_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path))  # what an earlier run compiled would prove nothing
    assert _double_and_one(20) == 41
    assert not hasattr(_double, "py_func")  # the module still holds the kernel, not what numba made of it
    assert _double(20) == 40


def test_loops_are_compiled_once_by_processes_side_by_side(tmp_path: Path) -> None:
    run = (
        "import reclens.data._kernels, reclens.data.read.lists; from reclens.kernels import warm_up;"
        "print(warm_up(rooms=['data'], processes=2))"
    )

    def said() -> str:
        how = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
        return subprocess.run([sys.executable, "-c", run], env=how, check=True, capture_output=True, text=True).stdout

    assert int(said()) >= 3, "the two loops of the matrix and that of the lists"
    assert int(said()) == 0
