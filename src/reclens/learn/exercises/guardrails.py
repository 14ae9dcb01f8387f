"""Exercise 2.3: a primary metric and guardrails, chosen from past launches and judged by launches nobody has seen."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import polars as pl

from reclens.cards import Fact
from reclens.learn.exercise import Draw, Exercise, Remark
from reclens.learn.headers import toml_header

__all__ = ["PickTheGuards"]

_PRIMARIES: Final[tuple[str, ...]] = ("watch_time", "sessions", "revenue", "clicks")
_GUARDS: Final[tuple[str, ...]] = (
    "diversity",
    "novelty",
    "latency",
    "new_user_retention",
    "coverage",
    "complaints",
    "crashes",
    "ad_views",
)
_METRICS: Final[tuple[str, ...]] = (*_PRIMARIES, *_GUARDS)
_LOWER_IS_BETTER: Final = frozenset({"latency", "complaints", "crashes"})
_MOST_GUARDS: Final = 4
_PAST: Final = {"good": 40, "harmful": 24, "null": 24}
_HIDDEN: Final = {"good": 20, "harmful": 10, "null": 10}
_LIMITS: Final = {"good": 3, "harmful": 2, "null": 1}
"""Most good launches that may be stopped, harmful ones that may be shipped, and null ones that may be shipped."""
_Z_PRIMARY: Final = 2.5758293035489004
"""The primary decides by its 99 % interval."""
_Z_GUARD: Final = 1.959963984540054
"""A guardrail by its 95 % interval."""
_GAIN: Final = 7.0
"""Effect of a good launch on a sensitive metric, and of a harmful one on what it harms, in standard errors."""


@dataclass(frozen=True, eq=False, kw_only=True)
class _Roles:
    """What the metrics are worth, drawn for each learner.

    Attributes:
        sensitive: The metric that a good launch moves by much, and a null one does not.
        inflated: Moves with every launch, because it is new.
        noisy: Metrics whose standard errors are too large to find or to exclude anything.
        harmed: What harmful launches harm, one of them each.
        falling: Metrics that fall in good launches, and harm nobody.
        errors: Standard error of each metric, in %.
    """

    sensitive: str
    inflated: str
    noisy: tuple[str, ...]
    harmed: tuple[str, ...]
    falling: tuple[str, ...]
    errors: Mapping[str, float]


class PickTheGuards(Exercise):
    """The choice decides on hidden launches, and is graded by what these turned out to be."""

    code = "2.3"
    name = "pick_the_guards"
    files = ("answer.toml",)
    minutes = 60

    def facts(self, draw: Draw) -> dict[str, Fact]:
        """How many guardrails, and how they are graded."""
        lower = ", ".join(f"`{name}`" for name in _GUARDS if name in _LOWER_IS_BETTER)
        return {"most": _MOST_GUARDS, "lower": lower, **{f"{name}_limit": count for name, count in _LIMITS.items()}}

    def write_data(self, draw: Draw, folder: Path) -> None:
        """Past launches, with what they turned out to be."""
        _launches(_roles(draw), draw, _PAST).write_parquet(folder / "past.parquet")

    def templates(self, draw: Draw) -> dict[str, str]:
        """One metric, and no guardrail."""
        return {"answer.toml": _toml(draw, "clicks", {"diversity": 1.0})}

    def judge(self, answer: Mapping[str, str], draw: Draw) -> Iterator[Remark]:
        """Decide on three sets of hidden launches."""
        given = tomllib.loads(answer["answer.toml"])
        primary, guards = given.get("primary"), given.get("guardrails", {})
        found = list(_malformed(primary, guards))
        yield from found
        if found:
            return
        roles = _roles(draw)
        for each in draw.hidden():
            wrong = _wrong_decisions(_launches(roles, each, _HIDDEN), str(primary), guards)
            over = {name: count for name, count in wrong.items() if count > _LIMITS[name]}
            for name, count in over.items():
                yield Remark(
                    "decides_wrongly", {"kind": name, "seen": count, "of": _HIDDEN[name], "most": _LIMITS[name]}
                )
            if over:
                return

    def solve(self, draw: Draw, folder: Path) -> None:
        """Look for what moves in good launches alone, and for what falls in harmful ones alone."""
        past = pl.read_parquet(folder / "past.parquet")
        primary = max(_PRIMARIES, key=lambda name: _mean_z(past, name, "good") - 3 * abs(_mean_z(past, name, "null")))
        guards = {
            name: 4.8 * float(past.filter(metric=name)["standard_error"].to_numpy().mean())
            for name in _GUARDS
            if _falls(past, name, "harmful") >= 2 and _falls(past, name, "good") == 0
        }
        (folder / "answer.toml").write_text(_toml(draw, primary, guards), encoding="utf-8")


def _malformed(primary: object, guards: object) -> Iterator[Remark]:
    names: list[str] = list(_METRICS)
    if primary not in _METRICS:
        yield Remark("unknown_metric", {"key": "primary", "seen": str(primary), "names": names})
    if not isinstance(guards, dict):
        yield Remark("no_guardrails")
        return
    if len(guards) > _MOST_GUARDS:
        yield Remark("too_many_guardrails", {"seen": len(guards), "most": _MOST_GUARDS})
    for name, margin in guards.items():
        if name not in _METRICS or name == primary:
            yield Remark("unknown_metric", {"key": "guardrails", "seen": str(name), "names": names})
        elif not isinstance(margin, int | float) or not 0 < margin < 1e6:
            yield Remark("no_margin", {"key": str(name), "seen": str(margin)})


def _wrong_decisions(launches: pl.DataFrame, primary: str, guards: Mapping[str, Any]) -> dict[str, int]:
    """Launches of each kind on which the choice decides wrongly."""
    wrong = dict.fromkeys(_LIMITS, 0)
    for (_, outcome), rows in launches.group_by("launch", "outcome"):
        found = {
            name: (change, error) for name, change, error in rows.select("metric", "change", "standard_error").rows()
        }
        change, error = _better(primary, *found[primary])
        ships = change - _Z_PRIMARY * error > 0
        for name, margin in guards.items():
            change, error = _better(name, *found[name])
            ships = ships and change - _Z_GUARD * error >= -margin
        wrong[str(outcome)] += ships != (outcome == "good")
    return wrong


def _better(name: str, change: float, error: float) -> tuple[float, float]:
    """A change in the direction that is good."""
    return (-change if name in _LOWER_IS_BETTER else change), error


def _mean_z(past: pl.DataFrame, name: str, outcome: str) -> float:
    rows = past.filter(metric=name, outcome=outcome)
    sign = -1 if name in _LOWER_IS_BETTER else 1
    return sign * float((rows["change"] / rows["standard_error"]).to_numpy().mean())


def _falls(past: pl.DataFrame, name: str, outcome: str) -> int:
    """Launches of a kind in which a metric gets clearly worse."""
    rows = past.filter(metric=name, outcome=outcome)
    sign = -1 if name in _LOWER_IS_BETTER else 1
    return int((sign * rows["change"] / rows["standard_error"] < -4).sum())


@lru_cache(maxsize=32)
def _roles(draw: Draw) -> _Roles:
    rng = draw.rng("roles")
    primaries = rng.permutation(_PRIMARIES).tolist()
    guards = rng.permutation(_GUARDS).tolist()
    noisy = (primaries[2], *guards[4:6])
    errors = {name: float(rng.uniform(0.2, 0.8) * (12 if name in noisy else 1)) for name in _METRICS}
    return _Roles(
        sensitive=primaries[0],
        inflated=primaries[1],
        noisy=noisy,
        harmed=tuple(guards[:4]),
        falling=tuple(guards[6:]),
        errors=errors,
    )


def _launches(roles: _Roles, draw: Draw, counts: Mapping[str, int]) -> pl.DataFrame:
    """A row a launch and metric: ``launch``, ``outcome``, ``metric``, ``change`` and ``standard_error`` in %."""
    rng = draw.rng("launches")
    rows: list[tuple[int, str, str, float, float]] = []
    outcomes = rng.permutation([name for name, count in counts.items() for _ in range(count)]).tolist()
    harms = 0
    for launch, outcome in enumerate(outcomes, 1):
        effects: dict[str, float] = dict.fromkeys(_METRICS, 0.0)
        effects[roles.inflated] = _GAIN  # whatever is new is clicked
        if outcome != "null":
            effects[roles.sensitive] = _GAIN  # a harmful launch looks good at first
        if outcome == "good":
            effects |= dict.fromkeys(roles.falling, -_GAIN)
        if outcome == "harmful":
            effects[roles.harmed[harms % len(roles.harmed)]] = -_GAIN - 1.5
            harms += 1
        for name, effect in effects.items():
            error = roles.errors[name]
            small = 0.1 if name in roles.noisy else 1.0
            change, _ = _better(name, error * (small * effect + rng.normal()), error)
            rows.append((launch, outcome, name, round(change, 4), round(error, 4)))
    columns = ("launch", "outcome", "metric", "change", "standard_error")
    return pl.DataFrame(rows, schema=columns, orient="row")


def _toml(draw: Draw, primary: str, guards: Mapping[str, float]) -> str:
    lines = [f"{name} = {margin:.4g}" for name, margin in guards.items()]
    head = f'{toml_header(draw)}primary = "{primary}"\n\n[guardrails]  # metric = how much worse it may get, in %\n'
    return head + "\n".join(lines) + "\n"


def _changed(
    change: Callable[[_Roles, str, dict[str, float]], tuple[str, dict[str, float]]],
) -> Callable[[Draw, Path], None]:
    """A wrong answer: the right one, with the primary or the guardrails chosen otherwise."""

    def write(draw: Draw, folder: Path) -> None:
        roles = _roles(draw)
        right = {name: 4.8 * roles.errors[name] for name in roles.harmed}
        primary, guards = change(roles, roles.sensitive, right)
        (folder / "answer.toml").write_text(_toml(draw, primary, guards), encoding="utf-8")

    return write


PickTheGuards.wrong = {
    "guards nothing": _changed(lambda roles, primary, guards: (primary, {})),
    "no worse at all": _changed(lambda roles, primary, guards: (primary, dict.fromkeys(guards, 0.01))),
    "margins far too wide": _changed(lambda roles, primary, guards: (primary, dict.fromkeys(guards, 100.0))),
    "what moves most": _changed(lambda roles, primary, guards: (roles.inflated, guards)),
    "noisy primary": _changed(lambda roles, primary, guards: (roles.noisy[0], guards)),
    "guards what falls": _changed(
        lambda roles, primary, guards: (primary, {name: 4.8 * roles.errors[name] for name in roles.falling})
    ),
    "two guards of four": _changed(lambda roles, primary, guards: (primary, dict(list(guards.items())[:2]))),
}
