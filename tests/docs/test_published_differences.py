"""The page of published differences is what the committed results say."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import pytest
from scipy.stats import norm

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def maker():
    found = importlib.util.spec_from_file_location("deep_page", ROOT / "benchmarks" / "deep_page.py")
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_the_page_is_current(maker) -> None:
    assert maker.PAGE.read_text(encoding="utf-8") == maker.page(), "python benchmarks/deep_page.py"


def test_the_test_of_two_shares(maker) -> None:
    """Beside the z-test by SciPy, and Holm by hand: the smallest p times all, the largest as it is or more."""
    rows = maker.unpaired()
    assert len(rows) == 10 + 6
    for row in rows:
        p, q = (maker.PUBLISHED[row["file"]][row[name]][0] for name in ("one", "other"))
        z = (q - p) / math.sqrt(p * (1 - p) / 6040 + q * (1 - q) / 6040)
        assert row["p"] == pytest.approx(2 * norm.sf(abs(z)))
    assert rows[0]["adjusted"] == pytest.approx(16 * rows[0]["p"])
    assert [row["adjusted"] for row in rows] == sorted(row["adjusted"] for row in rows)
    assert all(row["adjusted"] >= row["p"] for row in rows)


def test_what_did_not_run_is_named(maker) -> None:
    text = maker.page().split("## What did not run")[1]
    runs, _, clicks = maker.read()
    assert "`sasrec_ce`" in text or "sasrec_ce" in runs
    assert ("`fm`" in text) == ("fm" not in {row["model"] for row in clicks})
