"""Every code of an audit has its words."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, get_args

import pytest

from reclens.audit import comparison, preflight, result, rows, severity
from reclens.audit.adjusted import FACTORS
from reclens.audit.distances import DISTANCES
from reclens.audit.exposure import BASELINES
from reclens.audit.findings import _ADVICE
from reclens.report.audit import annex, words


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        (rows.Section, words.SECTIONS),
        (rows.Section, words.QUESTIONS),
        (rows.Section, words.LIMITS),
        (rows.Severity, words.SEVERITIES),
        (rows.Severity, words.SEVERITY_MEANINGS),
        (rows.Reason, words.REASONS),
        (rows.Family, words.FAMILIES),
        (severity.Opinion, words.OPINIONS),
        (severity.Opinion, words.OPINION_MEANINGS),
        (severity.Opinion, words.TONES),
        (result.Lacking, words.LACKING),
        (preflight.Ranker, words.RANKERS),
        (comparison.Change, words.CHANGES),
    ],
)
def test_every_code_has_words(codes: Any, told: Any) -> None:
    assert set(told) == set(get_args(codes)) and all(told.values())


def test_every_advice_baseline_distance_and_step_has_words() -> None:
    assert {code for codes in _ADVICE.values() for code in codes} <= set(words.ADVICE)
    assert {*BASELINES, "rest", "known", "random"} <= set(words.REFERENCES)
    assert set(DISTANCES) <= set(words.MEASURES) and set(annex.FORMULAS) <= set(words.MEASURES)
    assert set(words.STEPS) == {"raw", *FACTORS, "left"}


def test_whatever_the_audit_writes_as_a_literal_measure_or_reference_has_words(repository: Path) -> None:
    """Read off the source: a measure that is added without words would be shown as its code."""
    found: dict[str, set[str]] = {"measure": set(), "reference": set()}
    for file in (repository / "src" / "reclens" / "audit").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg in found and isinstance(node.value, ast.Constant):
                found[node.arg].add(str(node.value.value))
    assert {"popularity_lift", "exposure_share", "gaps"} <= found["measure"]
    assert found["measure"] - {"None"} <= set(words.MEASURES)
    assert found["reference"] - {"None"} <= set(words.REFERENCES)
