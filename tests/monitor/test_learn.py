"""Settings learned from past days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import polars as pl
import pytest

from reclens.errors import UsageError
from reclens.monitor.learn import accept, learn
from reclens.monitor.project import Project
from reclens.monitor.records import SERIES, DataCheck, GateResult

FIRST = date(2026, 1, 5)

TEXT = """# ours
[log]
path = "log"  # where it is

[gate]
# a bound
late_share = 0.3
"""


def stored(project: Project, days: int) -> None:
    """Days with 1,000 rows, 900 and 1,100 in turn; a rate of 5, 6, 7 … per mille; late rows of up to 2 %."""
    for at in range(days):
        day = FIRST + timedelta(days=at)
        rows = (1000, 900, 1100)[at // 7 % 3]
        late = DataCheck(code="late", state="passed", blocking=False, seen=0.02 - at / 10_000, bound=0.3, rows=rows)
        gate = GateResult(day=day, checks=(late,), state="passed")
        row = {"day": day, "dimension": "overall", "slice": "all", "value": 0.05 + at / 1000, "n": rows}
        series = pl.DataFrame([row | {"indicator": "ctr"}, row | {"indicator": "traffic"}], schema=SERIES)
        project.write_day(day, {"series": series}, gate, {"day": day.isoformat(), "rows": rows, "gate": "passed"})


def test_bounds_and_values_to_keep_are_proposed_as_a_diff(make_project: Callable[..., Project]) -> None:
    project = make_project(TEXT)
    stored(project, 21)
    proposal = learn(project)
    found = {(each.section, each.key): each.value for each in proposal.changes}
    assert found == {
        # 900 of the median of 1,000 and 1,100; 1,100 of that of 1,000 and 900; a fifth beyond.
        ("gate", "volume_low"): 0.68,
        ("gate", "volume_high"): 1.4,
        ("gate", "late_share"): 0.03,
        # One of 21 days lies below: that is just 5 %.
        ("indicators.ctr", "slo"): 0.051,
    }
    assert proposal.diff.splitlines()[2:] == [
        "@@ -3,5 +3,10 @@",
        ' path = "log"  # where it is',
        " ",
        " [gate]",
        "+volume_high = 1.4",
        "+volume_low = 0.68",
        " # a bound",
        "-late_share = 0.3",
        "+late_share = 0.03",
        "+",
        "+[indicators.ctr]",
        "+slo = 0.051",
    ]
    accept(project, proposal)
    again = Project(project.folder)
    assert again.settings.gate.late_share == 0.03 and again.settings.of("ctr").slo == 0.051
    assert not learn(again).changes and not learn(again).diff
    with pytest.raises(UsageError, match="was changed since"):
        accept(project, proposal)


def test_too_few_days_teach_nothing(make_project: Callable[..., Project]) -> None:
    project = make_project(TEXT)
    stored(project, 13)
    with pytest.raises(UsageError, match="13 days with data were run, expected 14"):
        learn(project)
