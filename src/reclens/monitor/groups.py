"""Findings of one day: alerts with the same root form one group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import polars as pl

from reclens.monitor.explain import changes_near, contributions, root_slice, suspects
from reclens.monitor.health import ALERTING, JUDGED
from reclens.monitor.records import OVERALL, Annotation, GateResult, SeriesKey
from reclens.monitor.rules import Rule
from reclens.monitor.slo import burn_rate

__all__ = ["GATE_ROOT", "DayFindings", "Group", "find_groups"]

GATE_ROOT: Final = SeriesKey("data_gate")
"""Root of an incident of the data gate."""
RELEASE: Final = 0.7
"""Share of a limit below which a series is calm again: between both an incident neither goes on nor ends."""
_LARGEST: Final = 1e6


@dataclass(frozen=True, kw_only=True)
class Group:
    """A root and its symptoms on one day.

    Attributes:
        root: The root.
        direction: ``up`` or ``down``.
        kind: As of :class:`~reclens.monitor.records.Incident`.
        size: Distance in units of its limit.
        effect: Value minus the expected value, in the indicator's unit.
        relative: The effect as a share of the expected value, at most 1.
        traffic: Share of the day's traffic.
        symptoms: Series that moved with it.
        contributions: Decomposition of the change.
        suspects: Codes of likely causes.
        burn: ``fast``, ``slow`` or empty: the worst SLO among its indicators.
        facts: Numbers of the day.
    """

    root: SeriesKey
    direction: str
    kind: str
    size: float
    effect: float | None
    relative: float
    traffic: float
    symptoms: tuple[SeriesKey, ...] = ()
    contributions: tuple[Mapping[str, Any], ...] = ()
    suspects: tuple[str, ...] = ()
    burn: str = ""
    facts: Mapping[str, Any]

    @property
    def keys(self) -> set[SeriesKey]:
        """The root and its symptoms."""
        return {self.root, *self.symptoms}


@dataclass(frozen=True, kw_only=True)
class DayFindings:
    """The findings of one day.

    Attributes:
        day: The day.
        groups: Groups of alerts.
        near: Series near their limit.
        unknown: Series without a judgement on that day.
        silenced: Whether the data gate failed, so that no series is judged.
    """

    day: date
    groups: tuple[Group, ...] = ()
    near: tuple[SeriesKey, ...] = ()
    unknown: tuple[SeriesKey, ...] = ()
    silenced: bool = False


def find_groups(
    day: date,
    detections: pl.DataFrame,
    *,
    rules: Mapping[str, Rule],
    series: pl.DataFrame | None = None,
    gate: GateResult | None = None,
    annotations: Sequence[Annotation] = (),
) -> DayFindings:
    """The groups of a day.

    If the data gate failed, it is the only group, because it causes everything else.

    Args:
        day: The day.
        detections: Columns of DETECTIONS; rows of other days are ignored.
        rules: Name of an indicator -> how it is judged.
        series: Columns of SERIES with the days before, for contributions and SLOs.
        gate: The data gate of the day.
        annotations: Annotated events.
    """
    if gate is not None and gate.state != "passed":
        return DayFindings(day=day, groups=(_of_gate(gate, annotations),), silenced=True)
    today = detections.filter(pl.col("day") == day).with_columns(size=_sizes(rules))
    alerts = today.filter(pl.col("state").is_in(ALERTING))
    own = [pl.col("indicator") == name for name in sorted(alerts["indicator"].unique())]
    roots = [(root_slice(today.filter(each)), alerts.filter(each)) for each in own]
    clusters = _clusters(roots, alerts)
    found = [_group(root, keys, today, day, rules, series, gate, annotations) for root, keys in clusters]
    if series is not None:
        found = _with_slos(found, today, day, rules, series)
    near = today.filter(pl.col("size") > RELEASE)
    unknown = today.filter(pl.col("state").is_in(["no_value", "excluded", "noted_incident", "silenced"]))
    return DayFindings(
        day=day,
        groups=tuple(sorted(found, key=lambda each: (-each.size, each.root))),
        near=_keys(near),
        unknown=_keys(unknown),
    )


def _sizes(rules: Mapping[str, Rule]) -> pl.Expr:
    """Distance in units of its limit, in the bad direction."""
    up = [name for name, rule in rules.items() if rule.direction == "up"]
    down = [name for name, rule in rules.items() if rule.direction == "down"]

    def toward(column: str) -> pl.Expr:
        bad = pl.col(column) * pl.when(pl.col("indicator").is_in(up)).then(1.0).otherwise(-1.0)
        both = ~pl.col("indicator").is_in(up + down)
        return pl.when(both).then(pl.col(column).abs()).otherwise(bad)

    judged = pl.col("state").is_in(JUDGED)
    largest = pl.max_horizontal(
        (toward("z") / pl.col("limit")).fill_nan(None), (toward("drift") / pl.col("drift_limit")).fill_nan(None)
    )
    return pl.when(judged).then(largest.clip(0.0, _LARGEST)).otherwise(0.0).fill_null(0.0)


def _keys(rows: pl.DataFrame) -> tuple[SeriesKey, ...]:
    return tuple(SeriesKey(*row) for row in rows.select("indicator", "dimension", "slice").sort(pl.all()).iter_rows())


def _clusters(
    roots: list[tuple[SeriesKey, pl.DataFrame]], alerts: pl.DataFrame
) -> list[tuple[SeriesKey, tuple[SeriesKey, ...]]]:
    """Merge roots of one dimension: what one slice gains, the others lose.

    If the overall series is furthest out, the others are its symptoms; otherwise it is a symptom of the furthest slice.
    """
    size = dict(zip(_keys_in_order(alerts), alerts["size"], strict=True))
    by_dimension: dict[str, list[tuple[SeriesKey, pl.DataFrame]]] = {}
    for root, rows in roots:
        by_dimension.setdefault(root.dimension, []).append((root, rows))
    clusters = sorted(by_dimension.values(), key=lambda each: -max(size[root] for root, _ in each))
    if clusters and clusters[0][0][0].dimension == OVERALL:
        clusters = [[member for each in clusters for member in each]]
    whole = by_dimension.get(OVERALL, []) if len(clusters) > 1 else []
    found: list[tuple[SeriesKey, tuple[SeriesKey, ...]]] = []
    for at, members in enumerate(each for each in clusters if each is not whole):
        joined = members + (whole if at == 0 else [])
        place = members[0][0].dimension
        root = max((each for each, _ in joined if each.dimension == place), key=lambda each: (size[each], each))
        keys = {key for _, rows in joined for key in _keys_in_order(rows)}
        found.append((root, tuple(sorted(keys - {root}))))
    return found


def _keys_in_order(rows: pl.DataFrame) -> list[SeriesKey]:
    return [SeriesKey(*row) for row in rows.select("indicator", "dimension", "slice").iter_rows()]


def _group(
    root: SeriesKey,
    symptoms: tuple[SeriesKey, ...],
    today: pl.DataFrame,
    day: date,
    rules: Mapping[str, Rule],
    series: pl.DataFrame | None,
    gate: GateResult | None,
    annotations: Sequence[Annotation],
    kind: str = "",
) -> Group:
    row = _row(today, root)
    change = None if row["expected"] is None or row["value"] is None else row["value"] - row["expected"]
    drifted = row["state"] == "drift"
    score = row["drift"] if drifted else row["z"]
    base = abs(row["expected"] or 0.0)
    relative = 0.0 if not change else min(abs(change) / base, 1.0) if base else 1.0
    n = today.filter(pl.col("indicator") == root.indicator)
    most = n.filter(pl.col("dimension") == OVERALL)["n"].max() or n["n"].max()
    whole = most if isinstance(most, int) else 0
    families = [rules[each.indicator].family for each in (root, *symptoms) if each.indicator in rules]
    facts = {
        name: row[name] for name in ("value", "expected", "low", "high", "z", "limit", "drift", "drift_limit", "n")
    }
    return Group(
        root=root,
        direction="down" if (score or 0.0) < 0 else "up",
        kind=kind or ("drift" if drifted else "level"),
        size=float(row["size"]),
        effect=change,
        relative=relative,
        traffic=min(1.0, (row["n"] or 0) / whole) if whole else 1.0,
        symptoms=symptoms,
        contributions=() if series is None else _contributions(series, root, day),
        suspects=suspects(root, list(dict.fromkeys(families)), day, gate=gate, annotations=annotations),
        facts={
            **{name: value for name, value in facts.items() if value is None or abs(value) < float("inf")},
            **_noted(root, day, annotations),
        },
    )


def _noted(root: SeriesKey, day: date, annotations: Sequence[Annotation]) -> dict[str, dict[str, list[str]]]:
    """What people wrote of the deploys and experiments that are suspects, by kind."""
    found: dict[str, list[str]] = {}
    for each in changes_near(root, day, annotations):
        found.setdefault(each.kind, []).append(each.text)
    return {"noted": found} if found else {}


def _contributions(series: pl.DataFrame, root: SeriesKey, day: date) -> tuple[dict[str, Any], ...]:
    """What each slice added to the change, the dimension of the root first."""
    found = contributions(series, root.indicator, day)
    return tuple(sorted(found, key=lambda each: each["dimension"] != root.dimension))


def _row(today: pl.DataFrame, key: SeriesKey) -> dict[str, Any]:
    found = today.filter(
        pl.col("indicator") == key.indicator, pl.col("dimension") == key.dimension, pl.col("slice") == key.slice
    )
    return found.row(0, named=True)


def _with_slos(
    groups: list[Group], today: pl.DataFrame, day: date, rules: Mapping[str, Rule], series: pl.DataFrame
) -> list[Group]:
    """Add burn rates to the groups of their indicators; a burning budget without an alert forms a separate group."""
    found = list(groups)
    for name, rule in sorted(rules.items()):
        if rule.slo is None or rule.direction == "both" or not rule.watch:
            continue
        burn = burn_rate(series, name, day, slo=rule.slo, direction=rule.direction)
        if burn.state not in ("slow", "fast"):
            continue
        facts = {"slo": rule.slo, "burn": {str(days): rate for days, rate in burn.days.items()}}
        at = next((i for i, each in enumerate(found) if any(key.indicator == name for key in each.keys)), None)
        key = SeriesKey(name)
        if at is None and today.filter(pl.col("indicator") == name, pl.col("dimension") == OVERALL).height:
            found.append(_group(key, (), today, day, rules, series, None, (), kind="slo"))
            at = len(found) - 1
        if at is not None:
            each = found[at]
            worst = "fast" if "fast" in (burn.state, each.burn) else "slow"
            direction = rule.direction if each.kind == "slo" else each.direction
            found[at] = replace(each, burn=worst, facts={**each.facts, **facts}, direction=direction)
    return found


def _of_gate(gate: GateResult, annotations: Sequence[Annotation]) -> Group:
    failed = [check for check in gate.checks if check.blocking and check.state in ("failed", "errored")]
    return Group(
        root=GATE_ROOT,
        direction="down",
        kind="gate",
        size=1.0,
        effect=None,
        relative=1.0,
        traffic=1.0,
        suspects=suspects(GATE_ROOT, (), gate.day, gate=gate, annotations=annotations) or ("data_gate",),
        facts={"state": gate.state, "checks": [check.code for check in failed]},
    )
