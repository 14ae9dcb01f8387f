"""What an experiment measures: the metrics of a plan.

A metric is a fact about the *unit* that is randomised (the user, as a rule): its mean, its share, a ratio of two sums,
a quantile; or a fact about the whole arm (coverage, Gini, effective items of exposure), which only resampling can give
an interval.
"""

from __future__ import annotations

import math
from typing import Any, Final, Literal

from pydantic import ConfigDict, Field, model_validator

from reclens.settings import Checked
from reclens.tabular import Tabular

__all__ = ["KINDS", "OF_ARM", "ROLES", "Baseline", "FrozenSettings", "Metric"]

KINDS: Final = ("mean", "proportion", "ratio", "quantile", "coverage", "gini", "effective_items")
"""The kinds of metric."""

OF_ARM: Final = ("coverage", "gini", "effective_items")
"""The kinds that are facts about a whole arm."""

ROLES: Final = ("primary", "secondary", "guardrail")
"""What a metric is for: the decision rests on primary ones and must not break a guardrail; secondary ones explain."""


class FrozenSettings(Checked):
    """What a plan and a simulation are made of: frozen, no unknown key, no infinite number."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Baseline(FrozenSettings):
    """Known values of a metric before the experiment, used if there is no history.

    Attributes:
        mean: Mean, share, ratio or quantile in control.
        sd: Standard deviation over units; of a ratio, that of its linearisation (numerator − ratio × denominator) over
            the mean of the denominator; not needed for a proportion.
        skewness: Skewness over units, E(y - mean)³ ÷ sd³: with arms of unequal size it decides how many are needed.
        r2: Share of the variance that the covariates explain (squared correlation): CUPED takes it away.
        icc: Intra-cluster correlation, where clusters of units are randomised.
        cluster_size: Mean number of units a cluster.
        cluster_cv: Coefficient of variation of the sizes of clusters.
    """

    mean: float | None = None
    sd: float | None = Field(default=None, gt=0)
    skewness: float | None = None
    r2: float = Field(default=0.0, ge=0, lt=1)
    icc: float = Field(default=0.0, ge=0, le=1)
    cluster_size: float = Field(default=1.0, ge=1)
    cluster_cv: float = Field(default=0.0, ge=0)


class Metric(Tabular, FrozenSettings):
    """One metric of a plan.

    Attributes:
        name: Its name in every table; unique in a plan.
        kind: One of ``KINDS``.
        value: Column of the per-unit table; the numerator of a ratio. Facts about the whole arm need none.
        per: Column of the denominator, of a ratio.
        q: Which quantile, of a quantile: 0 … 1.
        covariates: Columns measured before the experiment, for CUPED; ``"clicks_before/views_before"`` is a ratio.
        role: ``primary``, ``secondary`` or ``guardrail``.
        better: Whether ``higher`` or ``lower`` is better.
        effect: Smallest effect to detect, relative to control (0.02 = 2 %), without a sign.
        effect_scales: Whether an effect multiplies the values of every unit, and with them their spread, as 2 % more
            minutes for everybody do; false where it adds the same to all. The size allows for it.
        margin: What a guardrail may lose, relative to control (0.02 = 2 %): it holds when the interval excludes a
            larger loss. Of another metric the differences that do not matter, either way: where the interval lies
            within them, there is no material difference.
        margin_absolute: The same in the unit of the metric instead, for what control may have none of (complaints).
        equivalence: Whether a guardrail must not move either way: it holds when the interval lies within its margin.
        cap: Values above it count as it (winsorising), against absurd outliers; decided before the data are seen.
        missing: What a value that is missing means: ``error`` refuses it; ``leave_out``: it is not known, and units
            without any value are left out; ``zero``: nothing happened. None refuses it in a table with one row a unit;
            in a log it leaves out as well, and blocks the verdict where more than 1 % of units have no value.
        unit: Words for the reader, such as "minutes"; "%" says of a ratio or a mean that it is a share, which readers
            see in percent.
        baseline: Known values of the metric before the experiment.
    """

    name: str = Field(min_length=1)
    kind: Literal["mean", "proportion", "ratio", "quantile", "coverage", "gini", "effective_items"] = "mean"
    value: str | None = None
    per: str | None = None
    q: float | None = Field(default=None, gt=0, lt=1)
    covariates: tuple[str, ...] = ()
    role: Literal["primary", "secondary", "guardrail"] = "primary"
    better: Literal["higher", "lower"] = "higher"
    effect: float | None = Field(default=None, gt=0)
    effect_scales: bool = True
    margin: float | None = Field(default=None, gt=0)
    margin_absolute: float | None = Field(default=None, gt=0)
    equivalence: bool = False
    cap: float | None = None
    missing: Literal["error", "leave_out", "zero"] | None = None
    unit: str = ""
    baseline: Baseline | None = None

    @model_validator(mode="after")
    def _whole(self) -> Metric:
        of_arm = self.kind in OF_ARM
        if self.value is None and not of_arm:
            raise ValueError(f"value is missing for '{self.name}'. Name the column that a {self.kind} is made from")
        if (self.per is None) == (self.kind == "ratio"):
            raise ValueError(
                f"per is missing for '{self.name}'. Name the column of the denominator, or say kind = \"mean\""
                if self.per is None
                else f"per is {self.per!r} for '{self.name}', a {self.kind}. Say kind = \"ratio\", or leave per out"
            )
        if (self.q is None) == (self.kind == "quantile"):
            raise ValueError(
                f"q is missing for '{self.name}'. Say which quantile, such as q = 0.9"
                if self.q is None
                else f"q is {self.q} for '{self.name}', a {self.kind}. Say kind = \"quantile\", or leave q out"
            )
        if self.covariates and (of_arm or self.kind == "quantile"):
            raise ValueError(f"covariates are given for '{self.name}', a {self.kind}, which has none. Leave them out")
        if self.missing is not None and (of_arm or (self.kind == "quantile" and self.missing == "zero")):
            raise ValueError(
                f"missing is '{self.missing}' for '{self.name}', a {self.kind}, which has no such choice. Leave it out"
            )
        if self.margin is not None and self.margin_absolute is not None:
            raise ValueError(f"margin and margin_absolute are both given for '{self.name}'. Leave one of them out")
        given = self.margin if self.margin is not None else self.margin_absolute
        if given is None and self.role == "guardrail":
            raise ValueError(
                f"margin is missing for the guardrail '{self.name}'. Say how much it may lose, such as margin = 0.02"
            )
        if self.role != "guardrail" and self.margin is not None and self.margin >= (self.effect or math.inf):
            raise ValueError(
                f"margin is {self.margin} for '{self.name}', whose effect worth finding is {self.effect}. Say a "
                "smaller one: what is worth finding matters"
            )
        if self.equivalence and self.role != "guardrail":
            raise ValueError(
                f"equivalence is given for '{self.name}', which is {self.role}. Leave it out: a margin is enough for "
                "the verdict of no material difference"
            )
        return self

    @property
    def aim(self) -> Literal["difference", "non-inferiority", "equivalence"]:
        """What is to be shown: a difference, that no more than the margin is lost, or that it lies within the margin.

        A metric that names an effect worth finding looks for a difference, whatever does not matter of it.
        """
        if self.role == "guardrail":
            return "equivalence" if self.equivalence else "non-inferiority"
        return "difference" if self.effect is not None or not self.loss[0] else "equivalence"

    @property
    def is_share(self) -> bool:
        """Whether its values are shares: of units, of the catalogue, or of what it counts where its unit is "%".

        Example:
            >>> Metric(name="kept", kind="proportion", value="kept").is_share
            True
        """
        return self.kind in ("proportion", "coverage") or self.unit == "%"

    @property
    def loss(self) -> tuple[float, bool]:
        """The margin, and whether it is relative to control; 0 where there is none.

        Example:
            >>> Metric(name="complaints", value="n", role="guardrail", better="lower", margin_absolute=0.01).loss
            (0.01, False)
        """
        return (self.margin or 0.0, True) if self.margin_absolute is None else (self.margin_absolute, False)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column of the per-unit table that the metric needs, in order, without repeats.

        Example:
            >>> Metric(name="ctr", kind="ratio", value="clicks", per="views", covariates=("c0/v0",)).columns
            ('clicks', 'views', 'c0', 'v0')
        """
        before = [column.strip() for each in self.covariates for column in each.split("/")]
        named = [self.value, self.per, *before]
        return tuple(dict.fromkeys(column for column in named if column is not None))

    @property
    def sign(self) -> int:
        """+1 where higher is better, −1 where lower is."""
        return 1 if self.better == "higher" else -1

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [self.model_dump(mode="json")]
