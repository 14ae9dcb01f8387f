"""Kernels are compiled when they are first called, and call each other."""

from __future__ import annotations

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
