"""Artefacts in a line each."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from reclens.report.data.artefact_words import artefact_summary
from reclens.workspace import Artefact


@pytest.mark.parametrize(("incidents", "told"), [(0, "0 incidents"), (1, "1 incident"), (2, "2 incidents")])
def test_incidents_of_a_day_are_counted_in_words(tmp_path: Path, incidents: int, told: str) -> None:
    about = {"system": "shop", "day": "2026-03-08", "series": 297, "moved": 2, "incidents": incidents, "gate": "passed"}
    day = Artefact(
        kind="health", name="a", about=about, card={"kind": "health"}, created=datetime.now(UTC), bytes=0, path=tmp_path
    )
    assert artefact_summary(day) == f"shop, 2026-03-08: 297 series, 2 moved, {told}; gate passed"
