"""Where exports are written, and doubles of services."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """A server of Spark Connect: Sail, which needs no JVM."""
    sail = pytest.importorskip("pysail.spark", reason="Sail is in the extra of the tests: pip install pysail")
    server = sail.SparkConnectServer("127.0.0.1", 0)
    server.start()
    yield f"sc://127.0.0.1:{server.listening_address[1]}"
    server.stop()


@pytest.fixture(scope="session")
def session(address: str) -> Iterator[Any]:
    """Its session, with two partitions after a shuffle."""
    from reclens.edges._spark_session import spark_session

    found = spark_session(address)
    found.conf.set("spark.sql.shuffle.partitions", "2")
    yield found
    found.stop()  # before its server: at its end Python would try to reach one that is gone


@pytest.fixture(scope="session")
def doubles() -> Callable[[str], ModuleType]:
    """Loads a module of this folder that plays a service."""

    @functools.cache
    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
