"""Charts of audits: colours and shapes of severities, axes that hold every interval, names that can be read."""

from __future__ import annotations

import dataclasses
import math
from itertools import combinations
from typing import Any, get_args

import pytest

from reclens.audit import Audit, AuditSettings, compare, run
from reclens.audit.rows import AuditRow, Severity
from reclens.data import segments
from reclens.data import split as splits
from reclens.data.synthetic import synthetic_movielens
from reclens.models import Popular
from reclens.report.audit import charts, charts_severity, charts_users
from reclens.report.audit.parts import cause_parts
from reclens.report.audit.sentences import headline
from reclens.report.audit.tables import adjusted_table, stage_tables
from reclens.report.audit.words import SEVERITIES


def texts_in(spec: Any) -> set[str]:
    """Every text of a chart but for those of its data."""
    if isinstance(spec, dict):
        return {text for name, each in spec.items() if name != "values" for text in texts_in(each)}
    if isinstance(spec, list):
        return {text for each in spec for text in texts_in(each)}
    return {spec} if isinstance(spec, str) else set()


def values_of(chart: Any, name: str) -> list[dict[str, Any]]:
    """The rows of a layered chart that have a field."""
    spec = chart.to_dict(validate=False)
    held = [spec, *spec["layer"]]
    return next(
        rows for each in held if (rows := each.get("data", {}).get("values", [])) and name in rows[0] and len(rows) > 0
    )


def test_severities_have_no_colour_of_a_system_and_a_shape_each_grade(audit: Audit) -> None:
    rows = [{"severity": SEVERITIES[code]} for code in get_args(Severity)]
    marks = charts_severity.severity_marks(rows)
    told = {
        name: dict(zip(each["scale"]["domain"], each["scale"]["range"], strict=True)) for name, each in marks.items()
    }
    assert not [colour for colour in told["color"].values() if colour.startswith("var(--s")]
    graded = ("critical", "high", "medium", "favoured")
    assert len({told["color"][each] for each in graded}) == len({told["shape"][each] for each in graded}) == 4
    for chart in (
        charts.merit_chart(audit, "popularity"),
        charts.lift_chart(audit),
        charts_users.measure_chart(audit, "ndcg@10"),
        charts_users.intersection_chart(audit, *charts_users.crossed_pairs(audit)[0]),
    ):
        assert chart is not None
        colours = {text for text in texts_in(chart.to_dict(validate=False)) if text.startswith("var(--")}
        assert not {colour for colour in colours if colour.startswith("var(--s") and colour != "var(--soft)"}


def test_an_axis_of_ratios_holds_every_interval_and_parity() -> None:
    axis = charts_severity.ratio_axis([0.62, 0.7, 1.4], title="").to_dict(validate=False)
    low, high = axis["scale"]["domain"]
    assert low < 0.62 and high > 1.4
    # Four hundredths of the axis at each end, on the logarithm.
    assert math.log(high / 1.4) == pytest.approx(math.log(0.62 / low)) == pytest.approx(0.04 * math.log(1.4 / 0.62))
    ticks = axis["axis"]["values"]
    assert 1.0 in ticks and 3 <= len(ticks) <= 7 and all(low <= each <= high for each in ticks)
    narrow = charts_severity.ratio_axis([0.99, 1.01], title="").to_dict(validate=False)["scale"]["domain"]
    assert narrow[0] < 0.9 and narrow[1] > 1 / 0.9, "the band of no material difference is seen whole"


def box_of(row: dict[str, Any], most: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """From where to where the name of a group reaches, across and up."""
    x, y, wide = 215 * row["merit"] / most, 252 * row["value"] / most, 7 * len(row["group"])
    left = x - wide if "left" in row["named"] else x if "right" in row["named"] else x - wide / 2
    off = (
        float(row["named"].split(" px ")[0]) if " px " in row["named"] else 12
    )  # at the end of a line of so many pixels
    shift = off if "above" in row["named"] else -off if "below" in row["named"] else 0
    return (left, left + wide), (y + shift - 6, y + shift + 6)


def test_no_name_lies_on_another(audit: Audit) -> None:
    chart = charts.merit_chart(audit, "genres")
    assert chart is not None
    rows = values_of(chart, "named")
    most = max(max(row["merit"], row["high"] or row["value"]) for row in rows)
    named = [row for row in rows if row["named"]]
    assert len(named) >= 3
    for one, other in combinations(named, 2):
        # On half a printed page, where the axes are 215 by 252 pixels and a letter is 7 pixels wide.
        (a, b), (c, d) = (box_of(row, most) for row in (one, other))
        assert a[1] <= c[0] or c[1] <= a[0] or b[1] <= d[0] or d[1] <= b[0], f"{one['group']} on {other['group']}"
    farthest = max(rows, key=lambda row: abs(row["value"] - row["merit"]))
    assert farthest["named"], "the group farthest from parity is always named"


def test_a_crossing_is_shown_once(audit: Audit) -> None:
    pairs = charts_users.crossed_pairs(audit)
    crossed = [frozenset(f"{one} × {other}".split(" × ")) for one, other in pairs]
    assert len(crossed) == len(set(crossed)) and all(" × " not in one for one, _ in pairs)


def test_the_table_of_what_explains_gaps_adds_up(audit: Audit) -> None:
    table = adjusted_table(audit.adjusted)
    assert len(table.rows) == len(audit.adjusted) and len(table.columns) == len(table.rows[0])
    for row in table.rows:
        raw, *due, left = (float(cell.split(" [")[0]) for cell in row[1:-1])
        assert raw == pytest.approx(sum(due) + left, abs=3e-4)


def test_rows_of_two_audits_have_names_of_their_own_that_are_short(audits: dict[str, Audit]) -> None:
    chart = charts.change_chart(compare(audits["popular"], audits["ease"]))
    assert chart is not None
    rows = values_of(chart, "before")
    labels = [row["label"] for row in rows]
    assert len(set(labels)) == len(labels) > 10, "one row a change"
    assert max(map(len, labels)) <= 42


@pytest.mark.parametrize(
    ("opinions", "said"),
    [
        ({"exposure": "negative", "users": "positive", "loop": "not_measured"}, "Negative on 1 of 2 criteria"),
        ({"exposure": "positive", "users": "positive", "two_sided": "described"}, "Positive on all 2 criteria"),
        ({"exposure": "positive", "users": "not_concluded"}, "Not concluded on 1 of 2 criteria"),
        ({"exposure": "not_measured"}, "No criterion could be measured"),
    ],
)
def test_the_headline_names_what_fails(audit: Audit, opinions: Any, said: str) -> None:
    assert headline(dataclasses.replace(audit, opinions=opinions)).startswith(said)


@pytest.fixture(scope="module")
def staged() -> Audit:
    """Lists of 20 that the scores chose, of which five are shown."""
    data = synthetic_movielens(n_users=200, n_items=80, n_ratings=6_000)
    split = splits.last_n(data, n=4)
    train = split.train.with_segments(activity=segments.quantiles("n_interactions", ["light", "heavy"]))
    split = dataclasses.replace(split, train=train)
    lists = Popular().fit(split.train).recommend(split.test_users, k=20)
    settings = AuditSettings(
        k=5, retrieved=20, by=["activity"], attributes=["popularity"], metrics=["ndcg@5"], replicates=200
    )
    return run(lists, split.test, train=split.train, settings=settings)


def test_where_candidates_are_given_the_gap_is_told_stage_by_stage(staged: Audit, audit: Audit) -> None:
    items, users = stage_tables(staged)
    assert items.columns == ("group", "histories ÷ catalogue", "candidates ÷ histories", "lists ÷ candidates")

    def share(measure: str, group: str, reference: str) -> AuditRow:
        (row,) = (
            row
            for row in staged.rows
            if (row.measure, row.group, row.reference) == (measure, group, reference) and row.by == "overall"
        )
        return row

    for row in items.rows:
        group = row[0].removesuffix(" (popularity)")
        steps = [float(cell.split(" [")[0]) for cell in row[1:]]
        whole = share("exposure_share", group, "catalogue").ratio.value
        assert math.prod(steps) == pytest.approx(whole, rel=0.05, abs=0.02), "the steps multiply to the whole"
    assert {row[0] for row in users.rows} == {"light (activity)", "heavy (activity)"}
    (part,) = cause_parts(staged)
    assert "the ranking did" in part.lead and "candidates" in part.figures[0].caption and len(part.tables) == 2
    (without,) = cause_parts(audit)
    assert "was not given" in without.lead and not without.tables and "candidates" not in without.figures[0].caption
