"""Exercise 2.1: a plan of an A/B test, judged by what happens when it is carried out again and again."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from reclens.cards import Fact
from reclens.errors import RecLensError
from reclens.learn.daily_visits import BLOCK, WEEK, Twin, make_shop, past_launch
from reclens.learn.exercise import Draw, Exercise, Remark
from reclens.learn.headers import toml_header

if TYPE_CHECKING:
    from reclens.experiment import Plan

__all__ = ["PlanThatSurvives"]

_COLUMNS: Final = ("clicks", "clicks_after_week_1", "clicks_before", "visits", "visits_after_week_1", "visits_before")
_RUNS: Final = 200
"""Runs of the plan in each of the hidden months."""
_MOST_FALSE: Final = 0.05
_ROOM: Final = 0.07
"""How far the share of runs that find the effect may lie from the power of the plan."""
_GUARD: Final = 0.8
"""Share of harmless runs that a guardrail must let through, and of harmful ones that it must stop."""
_LEAST_POWER: Final = 0.8
_Z: Final = 1.959963984540054


@dataclass(frozen=True, eq=False)
class _Arms:
    """Which users of the shop are in control and in treatment: a row a run, a column a user."""

    control: np.ndarray
    treated: np.ndarray

    def moments(self, control: np.ndarray, treated: np.ndarray) -> tuple[np.ndarray, ...]:
        """Mean and squared standard error of each arm, a value a run."""
        found: list[np.ndarray] = []
        for arm, values in ((self.control, control), (self.treated, treated)):
            n = arm.sum(axis=1)
            centre = values.mean()
            first, second = arm @ (values - centre) / n, arm @ (values - centre) ** 2 / n
            found += [first + centre, (second - first**2) / (n - 1)]
        return tuple(found)


class PlanThatSurvives(Exercise):
    """The plan is carried out in months that the learner has not seen, by code that shares nothing with the readout."""

    code = "2.1"
    name = "the_plan_that_survives"
    files = ("plan.toml",)
    minutes = 90

    def facts(self, draw: Draw) -> dict[str, Fact]:
        """The effect that is worth finding, and how the runs are graded."""
        shop = make_shop(draw)
        return {
            "users": f"{shop.users:,}",
            "effect": f"{100 * shop.effect:g}",
            "harm": round(100 * shop.harm),
            "history": 2 * BLOCK,
            "most_days": BLOCK,
            "runs": _RUNS,
            "false": round(100 * _MOST_FALSE),
            "room": round(100 * _ROOM),
            "guard": round(100 * _GUARD),
            "power": round(100 * _LEAST_POWER),
        }

    def write_data(self, draw: Draw, folder: Path) -> None:
        """The visits of eight weeks, and the effect of a past launch by day."""
        make_shop(draw).history().write_parquet(folder / "visits.parquet")
        past_launch(draw).write_csv(folder / "past_launch.csv")

    def templates(self, draw: Draw) -> dict[str, str]:
        """A plan with a primary metric of which nothing is known yet."""
        return {"plan.toml": _toml(draw, _TEMPLATE)}

    def judge(self, answer: Mapping[str, str], draw: Draw) -> Iterator[Remark]:
        """Read the plan, then carry it out in hidden months."""
        from reclens.experiment.planning.plan import load_plan
        from reclens.experiment.planning.sizing import size_plan

        try:
            plan = load_plan(tomllib.loads(answer["plan.toml"]))
            found = list(_unfit(plan))
            yield from found
            if found:
                return
            size = size_plan(plan)[plan.primary[0].name].size
        except RecLensError as error:
            yield Remark("no_plan", {"error": str(error)})
            return
        users = make_shop(draw).users
        needed = 0 if size is None else size.n
        if not 100 <= needed <= users:
            yield Remark("size_of_plan", {"needed": needed, "users": users})
            return
        yield from _outcomes(plan, needed, draw)

    def solve(self, draw: Draw, folder: Path) -> None:
        """Measure mean, spread and correlation over a month like that of the test, without its first week."""
        past = pl.read_parquet(folder / "visits.parquet")
        _write(draw, folder, _right(draw, past))


def _unfit(plan: Plan) -> Iterator[Remark]:
    """What rules a plan out before it is carried out."""
    if not plan.hypothesis.strip():
        yield Remark("no_hypothesis")
    if plan.unit != "user_id" or plan.cluster is not None:
        yield Remark("unit_of_plan", {"unit": plan.unit, "cluster": plan.cluster or ""})
    if plan.days is None or plan.days % WEEK or not WEEK <= plan.days <= BLOCK:
        yield Remark("days_of_plan", {"seen": str(plan.days), "most": BLOCK})
    if plan.sequential is not None or len(plan.arms) != 2 or plan.triggered is not None:
        yield Remark("not_two_arms")
    if plan.power < _LEAST_POWER:
        yield Remark("power_of_plan", {"seen": plan.power, "least": _LEAST_POWER})
    if len(plan.primary) != 1 or not plan.guardrails:
        yield Remark("roles_of_plan", {"primary": len(plan.primary), "guardrails": len(plan.guardrails)})
    for metric in plan.metrics:
        unknown = sorted(set(metric.columns) - set(_COLUMNS))
        if metric.kind != "mean" or unknown or metric.better != "higher":
            yield Remark("metric_of_plan", {"metric": metric.name, "columns": list(_COLUMNS)})
        elif any(not name.endswith("_before") for name in metric.covariates):
            yield Remark("covariate_of_plan", {"metric": metric.name})
        elif metric.role == "guardrail" and (metric.margin is None or metric.equivalence):
            yield Remark("margin_of_plan", {"metric": metric.name})
    if len(plan.primary) == 1 and plan.primary[0].effect is None:
        yield Remark("no_effect_of_plan", {"metric": plan.primary[0].name})


def _outcomes(plan: Plan, needed: int, draw: Draw) -> Iterator[Remark]:
    """Count what the runs decide."""
    primary, months = plan.primary[0], draw.hidden()
    shares: dict[Twin, list[float]] = {twin: [] for twin in ("null", "true", "harm")}
    held: list[float] = []
    for each in months:
        shop = make_shop(draw)
        arms = _assigned(plan, needed, shop.users, each.rng("arms"))
        for twin in ("null", "true"):
            columns = shop.month(each, twin, plan.days or BLOCK)
            values = [_adjusted(primary, table, columns[0]) for table in columns]
            mean, error, treated, treated_error = arms.moments(*values)
            z = (treated - mean) / np.sqrt(error + treated_error)
            shares[twin].append(float((z > _Z).mean()))
        held.append(_guards_hold(plan, arms, shop.month(each, "true", plan.days or BLOCK)))
        shares["harm"].append(1 - _guards_hold(plan, arms, shop.month(each, "harm", plan.days or BLOCK)))
    rates = {twin: float(np.mean(each)) for twin, each in shares.items()}
    runs = _RUNS * len(months)
    if rates["null"] > _MOST_FALSE:
        yield Remark("ships_nothing", {"seen": _percent(rates["null"]), "most": _percent(_MOST_FALSE), "runs": runs})
    if abs(rates["true"] - plan.power) > _ROOM:
        yield Remark(
            "finds_other_than_planned",
            {"seen": _percent(rates["true"]), "planned": _percent(plan.power), "runs": runs, "users": needed},
        )
    if np.mean(held) < _GUARD:
        yield Remark("guardrail_stops", {"seen": _percent(float(np.mean(held))), "least": _percent(_GUARD)})
    if rates["harm"] < _GUARD:
        yield Remark("guardrail_ships", {"seen": _percent(rates["harm"]), "least": _percent(_GUARD)})


def _percent(share: float) -> int:
    return round(100 * share)


def _assigned(plan: Plan, needed: int, users: int, rng: np.random.Generator) -> _Arms:
    """Users at random into control, treatment and neither, in each run anew."""
    control = round(needed * plan.arms[plan.control])
    pattern = np.zeros(users, dtype=np.int8)
    pattern[:control], pattern[control:needed] = 1, 2
    drawn = rng.permuted(np.tile(pattern, (_RUNS, 1)), axis=1)
    return _Arms((drawn == 1).astype(float), (drawn == 2).astype(float))


def _adjusted(metric: Any, table: Mapping[str, np.ndarray], without: Mapping[str, np.ndarray]) -> np.ndarray:
    """A value a user: capped as planned, less what the covariates explain among users without treatment."""
    values, fitted = (_capped(metric, each[metric.value]) for each in (table, without))
    if not metric.covariates:
        return values
    past = np.column_stack([table[name] - table[name].mean() for name in metric.covariates])
    slopes, *_ = np.linalg.lstsq(past, fitted - fitted.mean(), rcond=None)
    return values - past @ slopes


def _capped(metric: Any, values: np.ndarray) -> np.ndarray:
    return values if metric.cap is None else np.minimum(values, metric.cap)


def _guards_hold(plan: Plan, arms: _Arms, columns: tuple[Mapping[str, np.ndarray], ...]) -> float:
    """Share of runs in which no guardrail loses more than its margin, at the lower end of its 95 % interval."""
    holds = np.ones(_RUNS, dtype=bool)
    for metric in plan.guardrails:
        values = [_adjusted(metric, table, columns[0]) for table in columns]
        mean, error, treated, treated_error = arms.moments(*values)
        kept = 1 - (metric.margin or 0.0)
        holds &= treated - kept * mean > _Z * np.sqrt(treated_error + kept**2 * error)
    return float(holds.mean())


Metrics = list[dict[str, Any]]


def _sums(past: pl.DataFrame, value: str, days: tuple[int, int]) -> pl.DataFrame:
    """A sum a user over the days from … to, with 0 for users who did not come."""
    inside = pl.col("day").is_between(*days)
    what = pl.col("clicks").filter(inside).sum() if value == "clicks" else inside.sum()
    return past.group_by("user_id").agg(what.cast(pl.Float64).alias("value")).sort("user_id")


def _known(past: pl.DataFrame, value: str, first: int, *, visitors: bool = False) -> dict[str, float]:
    """Mean, standard deviation and squared correlation with the four weeks before."""
    after = _sums(past, value, (first, 2 * BLOCK))["value"].to_numpy()
    before = _sums(past, value, (1, BLOCK))["value"].to_numpy()
    if visitors:
        after, before = after[after > 0], before[after > 0]
    correlation = float(np.corrcoef(after, before)[0, 1])
    return {"mean": float(after.mean()), "sd": float(after.std(ddof=1)), "r2": correlation**2}


def _right(draw: Draw, past: pl.DataFrame) -> dict[str, Any]:
    clicks, visits = (_known(past, value, BLOCK + WEEK + 1) for value in ("clicks", "visits"))
    return {
        "unit": "user_id",
        "days": BLOCK,
        "metrics": [
            {
                "name": "clicks per user",
                "value": "clicks_after_week_1",
                "covariates": ["clicks_before"],
                "effect": make_shop(draw).effect,
                "baseline": clicks,
            },
            {
                "name": "visits per user",
                "value": "visits_after_week_1",
                "covariates": ["visits_before"],
                "role": "guardrail",
                "margin": 0.12,
                "baseline": visits,
            },
        ],
    }


_TEMPLATE: Final[dict[str, Any]] = {
    "unit": "",
    "days": 1,
    "metrics": [{"name": "clicks per user", "value": "clicks", "effect": 0.5, "baseline": {"mean": 1.0, "sd": 1.0}}],
}


def _toml(draw: Draw, plan: Mapping[str, Any]) -> str:
    """The plan as somebody would write it: a table a metric."""
    lines = ['name = "new list on the home page"', 'hypothesis = "The new list raises clicks per user for good."']
    lines += [f'unit = "{plan["unit"]}"', f"days = {plan['days']}", "", "[arms]", "old = 0.5", "new = 0.5"]
    for metric in plan["metrics"]:
        lines += ["", "[[metrics]]", *(f"{key} = {_value(value)}" for key, value in metric.items())]
    return toml_header(draw) + "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(each)}" for key, each in value.items()) + " }"
    return f"{value:.6g}"


def _write(draw: Draw, folder: Path, plan: Mapping[str, Any]) -> None:
    (folder / "plan.toml").write_text(_toml(draw, plan), encoding="utf-8")


@lru_cache(maxsize=4)
def _history(draw: Draw) -> pl.DataFrame:
    return make_shop(draw).history()


def _but(change: Callable[[dict[str, Any], pl.DataFrame], None]) -> Callable[[Draw, Path], None]:
    """A wrong answer: the right plan with one thing otherwise."""

    def write(draw: Draw, folder: Path) -> None:
        past = _history(draw)
        plan = _right(draw, past)
        change(plan, past)
        _write(draw, folder, plan)

    return write


def _primary(**changes: Any) -> Callable[[dict[str, Any], pl.DataFrame], None]:
    return lambda plan, past: plan["metrics"][0].update(changes)


def _with_first_week(plan: dict[str, Any], past: pl.DataFrame) -> None:
    plan["metrics"][0].update(value="clicks", baseline=_known(past, "clicks", BLOCK + 1))


def _visitors_alone(plan: dict[str, Any], past: pl.DataFrame) -> None:
    plan["metrics"][0]["baseline"] = _known(past, "clicks", BLOCK + WEEK + 1, visitors=True)


def _not_squared(plan: dict[str, Any], past: pl.DataFrame) -> None:
    known = plan["metrics"][0]["baseline"]
    known["r2"] = known["r2"] ** 0.5


PlanThatSurvives.wrong = {
    "sessions as units": _but(lambda plan, past: plan.update(unit="session_id")),
    "part of a week": _but(lambda plan, past: plan.update(days=BLOCK - 4)),
    "first week counts": _but(_with_first_week),
    "visitors alone": _but(_visitors_alone),
    "correlation not squared": _but(_not_squared),
    "covariate planned and not used": _but(_primary(covariates=[])),
    "twice the effect": _but(lambda plan, past: plan["metrics"][0].update(effect=2 * plan["metrics"][0]["effect"])),
    "no guardrail": _but(lambda plan, past: plan["metrics"].pop()),
    "margin within the noise": _but(lambda plan, past: plan["metrics"][1].update(margin=0.01)),
    "margin beyond the harm": _but(lambda plan, past: plan["metrics"][1].update(margin=0.35)),
}
