"""The deep models of the demo: their settings, and what is said without PyTorch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reclens import models
from reclens.job import deep_demo


def test_every_model_of_the_demo_is_deep_and_can_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deep_demo, "need", lambda module, extra: None)
    found = {name: models.build(name, options) for name, options in deep_demo.deep_models().items()}
    assert {"sasrec", "two_tower", "deep_fm"} <= set(found)
    assert all(model.extra == "deep" for model in found.values())


def test_without_pytorch_the_demo_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, in_process: Callable
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    done = in_process("demo", "--deep", cwd=tmp_path)
    assert done.returncode == 2 and "pip install 'reclens[deep]'" in done.stderr and not done.stdout
    done = in_process("fit", "popular", "--checkpoint", "here", cwd=tmp_path)
    assert done.returncode == 2 and "--checkpoint" in done.stderr
