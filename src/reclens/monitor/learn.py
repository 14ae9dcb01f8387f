"""Propose settings learned from completed days, bounds of checks and SLOs, as a diff to review.

Nothing changes before the diff is accepted. Of days whose gate failed, only the values of their checks are used.
"""

from __future__ import annotations

import difflib
import math
import re
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import polars as pl

from reclens.errors import UsageError
from reclens.files import write_text
from reclens.monitor.cards import DayCard
from reclens.monitor.indicators.registry import IndicatorInfo, describe
from reclens.monitor.project import RUN_DAYS, Project
from reclens.monitor.records import OVERALL, GateResult
from reclens.monitor.settings import SETTINGS_FILE, MonitorSettings
from reclens.settings import validate, write_toml

__all__ = ["FEWEST_DAYS", "Change", "Proposal", "accept", "learn"]

FEWEST_DAYS: Final = 14
"""Days that a bound is learned from at least."""

_MARGIN: Final = 1.5
"""A share may be so many times the largest that was seen on a day, and half a percent at least."""
_LEAST_SHARE: Final = 0.005
_KEPT: Final = 0.05
"""Share of the days that did not keep a value that is proposed."""
_CHECKS: Final = {
    "not_null": "null_share",
    "in_range": "bad_share",
    "unique": "duplicate_share",
    "late": "late_share",
    "inside_day": "outside_share",
}
"""Check -> the setting of its bound."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One proposed setting.

    Attributes:
        section: Section of ``monitor.toml``, such as ``"gate"`` or ``"indicators.ctr"``.
        key: The setting.
        was: Current value; None if it is not set.
        value: Proposed value.
        low: Smallest daily value.
        high: Largest daily value.
        days: Number of days it was learned from.
    """

    section: str
    key: str
    was: Any
    value: Any
    low: float
    high: float
    days: int


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """The proposed settings.

    Attributes:
        changes: The settings.
        before: Current ``monitor.toml``.
        after: The file with the changes; comments are kept.
    """

    changes: tuple[Change, ...]
    before: str
    after: str

    @property
    def diff(self) -> str:
        """The changes as a unified diff; empty if nothing is proposed."""
        names = (SETTINGS_FILE, f"{SETTINGS_FILE} (learned)")
        lines = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), *names, lineterm="")
        return "\n".join(lines)


def learn(project: Project, *, start: date | None = None, end: date | None = None) -> Proposal:
    """Propose settings from the days that were run.

    Bounds of volume are a fifth beyond the extremes that were seen; shares of bad rows may be one and a half times the
    largest that was seen. Values to keep (SLOs) are those that 95 % of the days kept, of rates with a bad direction,
    over all slices together, where none is set.

    Args:
        project: The monitor.
        start: First day; by default the first completed day.
        end: Last day.

    Raises:
        UsageError: If fewer than 14 days with data were run.
    """
    gates = project.gates(start, end)
    cards = [card for day in gates if (card := project.card(day)) is not None and card["rows"]]
    if len(cards) < FEWEST_DAYS:
        raise UsageError(f"{len(cards)} days with data were run, expected {FEWEST_DAYS} or more", advice=RUN_DAYS)
    good = [day for day, gate in gates.items() if gate.state == "passed"]
    series = project.series(start, end).filter(pl.col("day").is_in(good))
    settings = project.settings
    changes = [*_volume(cards, settings), *_shares(gates.values(), settings), *_kept(series, settings)]
    before = (project.folder / SETTINGS_FILE).read_text(encoding="utf-8")
    return Proposal(changes=tuple(changes), before=before, after=_edited(before, changes))


def accept(project: Project, proposal: Proposal) -> None:
    """Write the proposed settings to ``monitor.toml``.

    Raises:
        UsageError: If the file has changed since, or the proposed settings are invalid.
    """
    place = project.folder / SETTINGS_FILE
    if place.read_text(encoding="utf-8") != proposal.before:
        raise UsageError(f"{place} was changed since this was proposed. Run learn again.")
    import tomllib

    validate(MonitorSettings, tomllib.loads(proposal.after), source=str(place))
    write_text(place, proposal.after)


def _volume(cards: Sequence[DayCard], settings: MonitorSettings) -> Iterator[Change]:
    """Rows of each day against the median of the other days of its weekday."""
    by_weekday: dict[int, list[int]] = {}
    for card in cards:
        by_weekday.setdefault(date.fromisoformat(card["day"]).weekday(), []).append(int(card["rows"]))
    ratios = [
        n / statistics.median(counts[:at] + counts[at + 1 :])
        for counts in by_weekday.values()
        if len(counts) > 1
        for at, n in enumerate(counts)
    ]
    if not ratios:
        return
    low, high = min(ratios), max(ratios)
    proposed = {"volume_low": _round(low * 0.8, math.floor), "volume_high": _round(high * 1.2, math.ceil)}
    for key, value in proposed.items():
        was = getattr(settings.gate, key)
        if value != was:
            yield Change(section="gate", key=key, was=was, value=value, low=low, high=high, days=len(cards))


def _shares(gates: Iterable[GateResult], settings: MonitorSettings) -> Iterator[Change]:
    """Largest shares of bad rows that days without a failure of that check saw."""
    seen: dict[str, list[float]] = {}
    for gate in gates:
        for check in gate.checks:
            if check.code in _CHECKS and check.state == "passed" and check.seen is not None:
                seen.setdefault(check.code, []).append(check.seen)
    for code, shares in seen.items():
        key, high = _CHECKS[code], max(shares)
        value = min(_round(max(high * _MARGIN, _LEAST_SHARE), math.ceil), 1.0)
        was = getattr(settings.gate, key)
        if value != was:
            yield Change(section="gate", key=key, was=was, value=value, low=min(shares), high=high, days=len(shares))


def _kept(series: pl.DataFrame, settings: MonitorSettings) -> Iterator[Change]:
    """SLOs that most days met, for indicators without one."""
    whole = series.filter(pl.col("dimension") == OVERALL).drop_nulls("value")
    for (name,), rows in whole.group_by("indicator", maintain_order=True):
        info = describe(str(name))
        if not _worth(info) or settings.of(info.name).slo is not None or rows.height < FEWEST_DAYS:
            continue
        values = rows["value"]
        at = _KEPT if info.direction == "down" else 1 - _KEPT
        found = values.quantile(at, "lower" if info.direction == "down" else "higher")
        low, high = values.min(), values.max()
        if found is None or not isinstance(low, float) or not isinstance(high, float) or low == high:
            continue
        value = _round(found, math.floor if info.direction == "down" else math.ceil)
        yield Change(
            section=f"indicators.{info.name}", key="slo", was=None, value=value, low=low, high=high, days=rows.height
        )


def _worth(info: IndicatorInfo) -> bool:
    """Whether an SLO is meaningful: for a rate or a time with a bad direction."""
    return info.direction != "both" and info.unit in ("share", "ms")


def _round(value: float, way: Any) -> float:
    """Round to two significant digits, towards the lenient side."""
    if not value:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    return float(f"{way(value / step + (-1e-9 if way is math.ceil else 1e-9)) * step:.6g}")


def _edited(text: str, changes: Sequence[Change]) -> str:
    """A TOML text with some settings changed: lines are replaced or added, and all others stay as they are."""
    lines = text.splitlines()
    for change in changes:
        line = write_toml({change.key: change.value}).strip()
        heads = [
            at for at, each in enumerate(lines) if re.fullmatch(rf"\s*\[{re.escape(change.section)}\]\s*(#.*)?", each)
        ]
        if not heads:
            lines += ([""] if lines and lines[-1].strip() else []) + [f"[{change.section}]", line]
            continue
        head = heads[0]
        end = next((at for at in range(head + 1, len(lines)) if lines[at].lstrip().startswith("[")), len(lines))
        same = [at for at in range(head + 1, end) if re.match(rf"\s*{re.escape(change.key)}\s*=", lines[at])]
        if same:
            lines[same[0]] = line
        else:
            lines.insert(head + 1, line)
    return "\n".join(lines) + "\n"
