"""A world in which the best configuration is known: ``tuning_world.py``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def dial_world() -> ModuleType:
    """``tuning_world.py``: a model whose best configuration is known. A module, so that other processes load it too."""
    spec = importlib.util.spec_from_file_location("tuning_world", Path(__file__).with_name("tuning_world.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
