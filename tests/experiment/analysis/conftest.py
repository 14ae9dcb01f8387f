"""Readouts held against each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reclens.experiment import Readout


def _same(one: Any, other: Any) -> None:
    """Everything alike, numbers to twelve digits."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key, value in one.items():
            _same(value, other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for mine, theirs in zip(one, other, strict=True):
            _same(mine, theirs)
    elif isinstance(one, float):
        assert other == pytest.approx(one, rel=1e-12, abs=1e-15, nan_ok=True)
    else:
        assert one == other


def _known(readout: Readout) -> dict[str, Any]:
    """The record of a readout without what a table of counts cannot tell."""
    record = readout.record()
    kept = [row for row in record["trust_checks"] if row["status"] != "skipped" and row["code"] != "rows"]
    rows = {name: each for name, each in record["check_rows"].items() if name != "rows"}
    left = {
        name: each for name, each in record.items() if name not in ("unknown", "caveats", "trust_checks", "check_rows")
    }
    return {**left, "trust_checks": kept, "check_rows": {name: each for name, each in rows.items() if each}}


@pytest.fixture(scope="session")
def same() -> Callable[[Any, Any], None]:
    """Asserts that two values are alike, numbers to twelve digits."""
    return _same


@pytest.fixture(scope="session")
def known() -> Callable[[Readout], dict[str, Any]]:
    """Gives the record of a readout without what a table of counts cannot tell."""
    return _known
