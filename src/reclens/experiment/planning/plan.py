"""The plan of an experiment, from TOML: what is asked, of whom, how it is measured and how it will be decided.

Everything that could be chosen after the data are seen is chosen here. A plan is frozen; ``to_toml`` writes it whole,
and reading that again gives the same plan.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from reclens.errors import UnknownNameError, expect_type, suggest
from reclens.experiment.planning.metric import FrozenSettings, Metric
from reclens.settings import read_toml, to_toml, validate
from reclens.stats.multiplicity import Correction
from reclens.tabular import Tabular

__all__ = ["EXAMPLE_PLAN", "Plan", "Sequential", "load_plan"]


class Sequential(FrozenSettings):
    """A plan of interim looks at an experiment.

    Attributes:
        method: ``group`` (a few planned looks with bounds), ``confidence_sequence`` (any number of looks, asymptotic)
            or ``msprt`` (any number of looks, mixture sequential probability ratio test).
        looks: Number of looks of a group-sequential test, the last one included, equally spaced.
        information: Shares of the sample at each look instead, rising to 1.
        spending: Bounds of a group-sequential test. ``lan_demets_obrien_fleming``, ``lan_demets_pocock``, ``power``
            and ``hwang_shih_decani`` spend the error over any information times; ``obrien_fleming`` and ``pocock`` are
            the classical ones.
        parameter: ρ of the power family, γ of Hwang, Shih and DeCani; None takes 3 and −4.
        futility: Spending of the type-II error for stopping early for futility; None never stops for that. The bound
            is not binding: going on past it does not raise the false positives.
        tuning: For methods without planned looks: the number of units, over both arms of a comparison, at which the
            interval is tightest; None takes half of what is planned for two arms.
    """

    method: Literal["group", "confidence_sequence", "msprt"] = "group"
    looks: int = Field(default=5, ge=1, le=50)
    information: tuple[float, ...] | None = None
    spending: Literal[
        "lan_demets_obrien_fleming", "lan_demets_pocock", "power", "hwang_shih_decani", "obrien_fleming", "pocock"
    ] = "lan_demets_obrien_fleming"
    parameter: float | None = None
    futility: Literal["lan_demets_obrien_fleming", "lan_demets_pocock", "power", "hwang_shih_decani"] | None = None
    tuning: int | None = Field(default=None, ge=2)

    @model_validator(mode="after")
    def _whole(self) -> Sequential:
        if self.tuning is not None and self.method == "group":
            raise ValueError("tuning is of methods without planned looks. Leave it out, or name another method")
        if self.parameter is not None and not {self.spending, self.futility} & {"power", "hwang_shih_decani"}:
            raise ValueError("parameter is of the spendings power and hwang_shih_decani. Leave it out, or take one")
        times = self.information
        if times is not None:
            rising = all(low < high for low, high in zip((0.0, *times), times, strict=False))
            if not times or not rising or abs(times[-1] - 1) > 1e-9:
                raise ValueError(
                    f"information is {list(times)}: expected shares that rise from above 0 to 1, such as "
                    "[0.25, 0.5, 1.0]"
                )
        return self

    @property
    def times(self) -> tuple[float, ...]:
        """Information at each look, as shares of the planned sample.

        Example:
            >>> Sequential(looks=4).times
            (0.25, 0.5, 0.75, 1.0)
        """
        return self.information or tuple(look / self.looks for look in range(1, self.looks + 1))


class Plan(Tabular, FrozenSettings):
    """The plan of one experiment.

    Attributes:
        name: What it is called; part of the salt.
        hypothesis: What is expected, and why, in words.
        arms: Name -> share of the units in the experiment; shares add up to 1.
        metrics: What is measured; at least one is primary.
        control: The control arm; by default the first.
        unit: Column with the randomised unit.
        cluster: Column of clusters that are randomised whole, where units are not; None = the unit itself.
        level: Confidence level of the intervals: 1 − alpha, two-sided.
        power: Chance to find the smallest effect worth finding.
        correction: Over several arms and primary metrics: one of ``holm``, ``hochberg``, ``hommel``, ``bonferroni``,
            ``bh``, ``none``.
        sequential: Planned interim looks; None = one look, at the end.
        days: Planned length in days; whole weeks are best.
        start: First day.
        daily_units: New units per day that the experiment can use; converts sizes to days.
        salt: What the assignment is salted with; the name by default.
        layer: Experiments in different layers overlap independently; in one layer they exclude each other by
            ``slice``.
        slice: The part of the layer's units that the experiment takes: from, to.
        holdout: Share of all units that no experiment ever touches.
        layer_holdout: Share of the units that no experiment of this layer touches.
        exclusions: Who stays out before randomisation, in words (bots, staff, under a week old).
        segments: Columns of segments.
        triggered: Which units' experience could differ: a column of 0 and 1 (of a log: 1 in any event), or a SELECT
            that lists their ids. Effects are then those of the triggered units, and stand beside those over all.
            Planned units count triggered ones.
        conditions: What the analyst wants on record: risks, owner, links. Free words, shown in the plan document.
    """

    name: str = Field(min_length=1)
    hypothesis: str = ""
    arms: dict[str, float]
    metrics: tuple[Metric, ...] = Field(min_length=1)
    control: str = ""
    unit: str = "user_id"
    cluster: str | None = None
    level: float = Field(default=0.95, gt=0.5, lt=1)
    power: float = Field(default=0.8, gt=0, lt=1)
    correction: Correction = "holm"
    sequential: Sequential | None = None
    days: int | None = Field(default=None, ge=1)
    start: date | None = None
    daily_units: float | None = Field(default=None, gt=0)
    salt: str = ""
    layer: str = "default"
    slice: tuple[float, float] = (0.0, 1.0)
    holdout: float = Field(default=0.0, ge=0, lt=1)
    layer_holdout: float = Field(default=0.0, ge=0, lt=1)
    exclusions: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    triggered: str | None = Field(default=None, min_length=1)
    conditions: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, content: Any) -> Any:
        """Control and salt have defaults that rest on other keys; a frozen plan spells them out."""
        if not isinstance(content, dict):
            return content
        arms, name = content.get("arms"), content.get("name")
        given = dict(content)
        if not given.get("control") and isinstance(arms, dict) and arms:
            given["control"] = next(iter(arms))
        if not given.get("salt") and isinstance(name, str):
            given["salt"] = name
        return given

    @model_validator(mode="after")
    def _whole(self) -> Plan:
        if len(self.arms) < 2:
            raise ValueError(f"arms has {len(self.arms)} entries. Name two at least, such as old = 0.5 and new = 0.5")
        wrong = [name for name, share in self.arms.items() if not 0 < share < 1]
        total = sum(self.arms.values())
        if wrong or abs(total - 1) > 1e-6:
            seen = ", ".join(f"{name} = {share:g}" for name, share in self.arms.items())
            raise ValueError(f"arms are {seen}: shares lie between 0 and 1 and add up to 1, but these to {total:g}")
        if self.control not in self.arms:
            raise ValueError(
                f"control is '{self.control}', which is no arm.{suggest(self.control, self.arms)}".rstrip(".")
            )
        names = [metric.name for metric in self.metrics]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"metrics has two of the name '{twice[0]}'. Give each its own name")
        said: dict[str, Metric] = {}
        for metric in self.metrics:
            for column in (metric.value, metric.per):
                counted = column is None or column in ("events", "units")  # these are counts, and never missing
                other = metric if counted else said.setdefault(column or "", metric)
                if other.missing != metric.missing:
                    raise ValueError(
                        f"missing differs between '{other.name}' and '{metric.name}', which both read "
                        f"'{column}'. Say the same for both"
                    )
        if not self.primary:
            raise ValueError('metrics has none with role = "primary". Name the one that decides')
        low, high = self.slice
        if not 0 <= low < high <= 1:
            raise ValueError(f"slice is [{low:g}, {high:g}]: expected from < to, within 0 … 1")
        return self

    @property
    def triggered_by_query(self) -> bool:
        """Whether the triggered units are listed by a query, and not told by a column."""
        words = (self.triggered or "").split(None, 1)
        return len(words) > 1 and words[0].upper() in ("SELECT", "FROM", "WITH")

    @property
    def alpha(self) -> float:
        """Chance of a false positive of one two-sided test: 1 − level."""
        return 1 - self.level

    @property
    def treatments(self) -> tuple[str, ...]:
        """The arms other than control."""
        return tuple(arm for arm in self.arms if arm != self.control)

    @property
    def uneven(self) -> bool:
        """Whether the arms are of different size, so that skewed values make a skewed difference."""
        return max(self.arms.values()) > 1.02 * min(self.arms.values())

    @property
    def primary(self) -> tuple[Metric, ...]:
        """The metrics that decide."""
        return tuple(metric for metric in self.metrics if metric.role == "primary")

    @property
    def secondary(self) -> tuple[Metric, ...]:
        """The metrics that explain."""
        return tuple(metric for metric in self.metrics if metric.role == "secondary")

    @property
    def guardrails(self) -> tuple[Metric, ...]:
        """The metrics that must not be harmed."""
        return tuple(metric for metric in self.metrics if metric.role == "guardrail")

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column of the per-unit table that the metrics need."""
        return tuple(dict.fromkeys(column for metric in self.metrics for column in metric.columns))

    @property
    def table_columns(self) -> tuple[str, ...]:
        """The columns that a table of units or events has beside the unit, the arm and times, as far as it is known."""
        read = [column for column in self.columns if column not in ("events", "units")]
        cluster = [] if self.cluster is None else [self.cluster]
        triggered = [] if self.triggered is None or self.triggered_by_query else [self.triggered]
        return tuple(dict.fromkeys([*read, *self.segments, *cluster, *triggered]))

    def metric(self, name: str) -> Metric:
        """The metric of a name.

        Raises:
            UnknownNameError: If the plan has no such metric.
        """
        for each in self.metrics:
            if each.name == name:
                return each
        raise UnknownNameError("metric of the plan", name, [each.name for each in self.metrics])

    def to_dicts(self) -> list[dict[str, Any]]:
        """The whole plan as one nested row of plain values."""
        return [self.model_dump(mode="json")]

    def to_toml(self) -> str:
        """The plan as TOML, everything spelled out; reading it again gives the same plan.

        Example:
            >>> plan = Plan(name="a", arms={"old": 0.5, "new": 0.5}, metrics=({"name": "clicks", "value": "clicks"},))
            >>> print(plan.to_toml().splitlines()[0])
            name = "a"
        """
        return to_toml(self)


_PLAN_FIRST: Final = "The plan comes first in size(plan) and read(plan, data), and last in assign(users, plan)."


def load_plan(source: Plan | str | Path | dict[str, Any]) -> Plan:
    """Read a plan from a TOML file, or check one that was read.

    Args:
        source: A path, the content of a file as a mapping, or a plan, which comes back as it is.

    Returns:
        The plan.

    Raises:
        ArgumentTypeError: If it is none of these.
        UsageError: If the file cannot be read, is no TOML, or has an unknown key or a value that cannot be meant; all
            of them at once, each with its section and what to do.

    Example:
        >>> metrics = [{"name": "clicks", "value": "clicks"}]
        >>> load_plan({"name": "a", "arms": {"old": 0.5, "new": 0.5}, "metrics": metrics}).control
        'old'
    """
    if isinstance(source, Plan):
        return source
    if isinstance(source, dict):
        return validate(Plan, source, source="the plan")
    expect_type("the plan", source, (str, Path), expected="a plan, a TOML file or its content", fix=_PLAN_FIRST)
    return validate(Plan, read_toml(source), source=str(source))


EXAMPLE_PLAN: Final = """# The plan of an experiment. Keys that are left out take the defaults of docs/experiment.md.
name = "item-kNN on the home page"
hypothesis = "Lists by item-kNN instead of by popularity raise clicks per user by 3 %, because they fit the taste."
unit = "user_id"
control = "popular"
level = 0.95
power = 0.8
correction = "holm"
days = 28
daily_units = 4000
layer = "home page"
exclusions = ["bots and staff accounts"]
segments = ["activity"]

[arms]
popular = 0.5
item_knn = 0.5

[sequential]                # leave it out for one look at the end
looks = 4                   # weekly
spending = "lan_demets_obrien_fleming"

[[metrics]]
name = "clicks per user"
kind = "mean"
value = "clicks"
covariates = ["clicks_before"]
role = "primary"
effect = 0.03               # the smallest relative effect worth finding
baseline = { mean = 4.2, sd = 6.3, r2 = 0.4 }

[[metrics]]
name = "click-through rate"
kind = "ratio"
value = "clicks"
per = "impressions"
role = "secondary"
unit = "%"                  # a share: readers see percent
effect = 0.03
baseline = { mean = 0.042, sd = 0.06 }

[[metrics]]
name = "retention after 7 days"
kind = "proportion"
value = "retained_7"
role = "guardrail"
margin = 0.03               # it may lose 3 % of control's share at most
baseline = { mean = 0.45 }

[[metrics]]
name = "Gini of exposure"
kind = "gini"
role = "guardrail"
better = "lower"
margin = 0.05
"""
"""A plan to start from, as TOML with comments; ``reclens experiment plan --example`` prints it."""
