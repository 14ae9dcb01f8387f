"""A question about size, effect or power, and its answer with formula, adjustments and other formulas."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np

from reclens.errors import Advice, ArgumentValueError, Setting, UnknownNameError, UsageError
from reclens.stats.multiplicity import CORRECTIONS
from reclens.stats.power.formulas import FORMULAS, Inputs
from reclens.tabular import Tabular

__all__ = ["Adjustment", "AdjustmentCode", "Answer", "Question", "corrected_alpha", "design_effect"]

_DEFAULT: Final = {"mean": "student", "ratio": "normal", "quantile": "normal", "proportion": "score"}


AdjustmentCode = Literal[
    "equivalence", "non_inferiority", "several_tests", "covariates", "clusters", "spread_scales", "looks"
]
"""What changes the variance, the alpha or the size of a question.

Facts: ``margin`` and whether it is ``relative``; of several ``tests`` their common ``alpha``, the ``correction`` and
what ``each`` has; the ``factor`` of the variance, with ``r2`` of covariates or ``icc`` and ``size`` of clusters; that
of the size, of looks.
"""


@dataclass(frozen=True)
class Adjustment:
    """An adjustment of the variance, the alpha or the size.

    Attributes:
        code: Kind of the adjustment.
        facts: Its numbers: see :data:`AdjustmentCode`.
    """

    code: AdjustmentCode
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Answer(Tabular):
    """The answer to a question.

    Attributes:
        asked: ``size``, ``effect`` or ``power``.
        value: The computed number: units over all arms, effect, or power.
        n: Units over all arms, each rounded up; for an effect or a power, the given number.
        n_control: Units in control, rounded up.
        n_treatment: Units in the treatment, rounded up.
        effect: The effect, relative to control if the question was.
        effect_absolute: The effect in the unit of the metric.
        power: The power.
        alpha: Probability of a false positive of each test, after the correction.
        formula: Name of the formula.
        neighbours: (formula, its result) of every other formula for the kind of metric.
        adjustments: Adjustments of the variance, the alpha or the size.
    """

    asked: Literal["size", "effect", "power"]
    value: float
    n: int
    n_control: int
    n_treatment: int
    effect: float
    effect_absolute: float
    power: float
    alpha: float
    formula: str
    neighbours: tuple[tuple[str, float], ...]
    adjustments: tuple[Adjustment, ...]

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row, for tables."""
        return [asdict(self)]


@dataclass(frozen=True, kw_only=True)
class Question:
    """Assumptions about a comparison of one treatment with control.

    Attributes:
        kind: ``mean``, ``proportion``, ``ratio`` or ``quantile``.
        mean: Mean, share, ratio or quantile in control.
        sd: Standard deviation of a unit; of a ratio see :func:`ratio_sd`, of a quantile :func:`quantile_sd`; a
            proportion has its own.
        sd_treatment: That of the treatment; the same by default.
        skewness: Skewness of a unit, of a mean or ratio: in arms of unequal size the test corrects for it, which raises
            or lowers the size.
        scales: Whether an effect multiplies the values of every unit, and so the standard deviation of the treatment (5
            % more minutes); otherwise it adds a constant. For means, ratios and quantiles.
        relative: Whether effects and the margin are relative to control (0.02 = 2 %) or absolute.
        shares: Shares of control and treatment among all units of the experiment; other arms take the rest.
        level: Confidence level of the interval: 1 − alpha, two-sided.
        margin: How much worse the treatment may be: the question is then whether the interval excludes a larger loss
            (non-inferiority, one tail of the same interval), typically with a true effect of 0.
        equivalence: Whether the interval must lie within the margin on both sides (equivalence, TOST).
        absolute_margin: Whether the margin, though given relative to control, is one of the difference: shares are then
            tested by their difference and not by their ratio.
        sign: Under a margin, +1 where higher is better and -1 where lower is; better is positive then.
        tails: 2, or 1 for a test of an increase with the whole alpha.
        comparisons: Number of tests that share the alpha.
        correction: ``bonferroni`` (exact for the first step of Holm, Hochberg and Hommel too) or ``none``.
        r2: Share of the variance that covariates remove (CUPED).
        icc: Intra-cluster correlation, if clusters are randomised.
        cluster_size: Mean number of units per cluster.
        cluster_cv: Coefficient of variation of the sizes of clusters.
        inflation: Factor of the size for a sequential plan.
        formula: One of ``FORMULAS`` for the kind; by default Student's t for means, the score test for proportions (the
            unpooled difference where they are adjusted or clustered, as their test is), the normal approximation for
            ratios and quantiles.

    Raises:
        UsageError: If a value is out of range, or the formula is for another kind.

    Example:
        >>> found = Question(kind="proportion", mean=0.2, relative=False).size(effect=0.05, power=0.8)
        >>> found.n_control, [(name, round(n / 2)) for name, n in found.neighbours if name == "unpooled"]
        (1094, [('unpooled', 1091)])
    """

    kind: Literal["mean", "proportion", "ratio", "quantile"] = "mean"
    mean: float = 0.0
    sd: float | None = None
    sd_treatment: float | None = None
    skewness: float = 0.0
    scales: bool = False
    relative: bool = True
    shares: tuple[float, float] = (0.5, 0.5)
    level: float = 0.95
    margin: float | None = None
    equivalence: bool = False
    absolute_margin: bool = False
    sign: int = 1
    tails: Literal[1, 2] = 2
    comparisons: int = 1
    correction: str = "bonferroni"
    r2: float = 0.0
    icc: float = 0.0
    cluster_size: float = 1.0
    cluster_cv: float = 0.0
    inflation: float = 1.0
    formula: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in _DEFAULT:
            raise UnknownNameError("kind of metric with a formula of power", self.kind, _DEFAULT)
        if self.formula is not None and self.formula not in self.formulas:
            raise UnknownNameError(f"formula for a {self.kind}", self.formula, self.formulas)
        if self.kind == "proportion":
            _check("mean", self.mean, 0 < self.mean < 1, "a share between 0 and 1")
        elif self.sd is None:
            raise ArgumentValueError("sd", f"is missing: a {self.kind} needs the standard deviation of a unit")
        else:
            _check("sd", self.sd, self.sd > 0, "above 0; a metric that never varies cannot be tested")
        if self.relative:
            _check("mean", self.mean, self.mean != 0, "another number: an effect relative to 0 is none", _ABSOLUTE)
        if self.scales:
            _check("mean", self.mean, self.mean != 0, "another number: an effect that multiplies 0 is none", _ADDS)
        _check("level", self.level, 0 < self.level < 1, "between 0 and 1, such as 0.95")
        _check("margin", self.margin, self.margin is None or self.margin > 0, "above 0: how much may be lost")
        _check("equivalence", self.equivalence, self.margin is not None or not self.equivalence, "with a margin")
        _check("shares", self.shares, min(self.shares) > 0 and sum(self.shares) <= 1 + 1e-9, "above 0, together ≤ 1")
        _check("comparisons", self.comparisons, self.comparisons >= 1, "1 or more")
        _check("r2", self.r2, 0 <= self.r2 < 1, "in 0 … 1, below 1")
        _check("icc", self.icc, 0 <= self.icc <= 1, "in 0 … 1")
        _check("cluster_size", self.cluster_size, self.cluster_size >= 1, "1 or more units a cluster")
        _check("inflation", self.inflation, self.inflation >= 1, "1 or more")

    @property
    def formulas(self) -> tuple[str, ...]:
        """Names of the formulas for the kind; with a margin, of those that support one."""
        names = [name for name, each in FORMULAS.items() if self.kind in each.kinds]
        unfit = {"baseline"} if self.margin is not None else set[str]()
        return tuple(name for name in names if name not in unfit and not (name == "relative" and self.mean == 0))

    @property
    def alpha(self) -> float:
        """Chance of a false positive of each test, after the correction."""
        return corrected_alpha(round(1 - self.level, 12), comparisons=self.comparisons, correction=self.correction)

    def power(self, effect: Any, n: Any) -> Any:
        """Power by the formula of the question; arrays broadcast.

        Args:
            effect: True effect, relative or absolute as the question says, with its sign; better is positive under
                a margin.
            n: Units over all arms.
        """
        deflated = np.asarray(n, float) / self.inflation
        scale = abs(self.mean) if self.relative else 1.0
        delta, null = np.asarray(effect, float) * scale, -(self.margin or 0.0) * scale
        design = design_effect(icc=self.icc, cluster_size=self.cluster_size, cluster_cv=self.cluster_cv)
        factor = (1 - self.r2) * design
        sd = math.sqrt(self.mean * (1 - self.mean)) if self.kind == "proportion" else self.sd or 0.0
        control, treated = (deflated * share for share in self.shares)
        units = self.cluster_size if self.icc > 0 else 1.0
        tails, side = (self.tails, 1) if self.margin is None else (1, self.sign)
        grown = np.abs(1 + side * delta / self.mean) if self.scales and self.kind != "proportion" else 1.0
        given = Inputs(
            mean=self.mean,
            var_c=factor * sd**2,
            var_t=factor * ((self.sd_treatment or sd) * grown) ** 2,
            delta=delta,
            null=null,
            n_c=control,
            n_t=treated,
            factor=factor,
            df=(control + treated) / units - 2,
            alpha=self.alpha / (2 if self.margin is not None else 1),
            tails=tails,
            side=side,
            skewness=0.0 if self.icc > 0 else self.skewness,
            relative=self.relative and not self.absolute_margin,
        )
        of = FORMULAS[self.formula_name].power
        with np.errstate(all="ignore"):
            if not self.equivalence:
                return of(given)
            # Both tests reject but where one of them does not, and hardly ever neither does (Phillips 1990).
            return np.maximum(of(given) + of(replace(given, delta=-delta, side=-given.side)) - 1, 0.0)

    @property
    def formula_name(self) -> str:
        """The formula that is used."""
        adjusted = self.kind == "proportion" and (self.r2 > 0 or self.icc > 0)
        return self.formula or ("unpooled" if adjusted else _DEFAULT[self.kind])

    def size(self, *, effect: float = 0.0, power: float = 0.8) -> Answer:
        """Units needed to detect an effect with a power.

        Raises:
            UsageError: If no number of units is enough: the effect is 0 without a margin, worse than the margin, or
                leads to a share outside 0 … 1.
        """
        _check("power", power, 0 < power < 1, "between 0 and 1, such as 0.8")

        def solve(question: Question) -> float:
            return _solve(lambda n: float(question.power(effect, n)), power, low=4.0, high=1e15)

        found = solve(self)
        if not math.isfinite(found):
            raise UsageError(
                f"no number of units finds an effect of {effect:g} with a power of {power:g}: expected an "
                "effect other than 0, within the margin, and a share that stays between 0 and 1."
            )
        return self._answer("size", found, n=found, effect=effect, power=power, solve=solve)

    def effect(self, *, n: float, power: float = 0.8, sign: int = 1) -> Answer:
        """Smallest effect detectable with n units and a power; under a margin, the true effect to be confirmed.

        Args:
            n: Units over all arms.
            power: Probability of finding the effect.
            sign: −1 for the smallest decrease; it differs from the increase for shares and relative effects.

        Raises:
            UsageError: If no effect is large enough.
        """
        _check("power", power, 0 < power < 1, "between 0 and 1, such as 0.8")
        _check("n", n, n > 0, "above 0: units over all arms")

        def solve(question: Question) -> float:
            offset = question.margin or 0.0
            largest = 1e9 if not question.equivalence else offset  # equivalence is likeliest without an effect
            if question.kind == "proportion" and not question.equivalence:
                up = sign * (1 if question.margin is None else question.sign) > 0
                room = 1 - question.mean if up else question.mean
                largest = offset + 0.999999 * room / (abs(question.mean) if question.relative else 1.0)
            return sign * (
                _solve(lambda e: float(question.power(sign * (e - offset), n)), power, low=1e-12, high=largest) - offset
            )

        found = solve(self)
        if not math.isfinite(found):
            raise UsageError(f"{n:,.0f} units find no effect with a power of {power:g}. Plan for more units.")
        return self._answer("effect", found, n=n, effect=found, power=power, solve=solve)

    def power_at(self, *, effect: float, n: float) -> Answer:
        """Power to detect an effect with n units, with details.

        Raises:
            UsageError: If n is not above 0, or the effect leads to a share outside 0 … 1.
        """
        _check("n", n, n > 0, "above 0: units over all arms")

        def solve(question: Question) -> float:
            return float(question.power(effect, n))

        found = solve(self)
        _check("effect", effect, math.isfinite(found), "one that leaves a share between 0 and 1")
        return self._answer("power", found, n=n, effect=effect, power=found, solve=solve)

    def _answer(
        self,
        asked: Literal["size", "effect", "power"],
        value: float,
        *,
        n: float,
        effect: float,
        power: float,
        solve: Callable[[Question], float],
    ) -> Answer:
        others = [replace(self, formula=name) for name in self.formulas if name != self.formula_name]
        neighbours = tuple((each.formula_name, solve(each)) for each in others)
        control, treated = (math.ceil(n * share - 1e-9) for share in self.shares)
        # Of a size each arm is rounded up, and the arms together are the experiment.
        together = asked == "size" and sum(self.shares) > 1 - 1e-9
        return Answer(
            asked=asked,
            value=value,
            n=control + treated if together else math.ceil(n - 1e-9),
            n_control=control,
            n_treatment=treated,
            effect=effect,
            effect_absolute=effect * (abs(self.mean) if self.relative else 1.0),
            power=power,
            alpha=self.alpha,
            formula=self.formula_name,
            neighbours=neighbours,
            adjustments=tuple(self._adjustments()),
        )

    def _adjustments(self) -> Iterator[Adjustment]:
        if self.margin is not None:
            code: AdjustmentCode = "equivalence" if self.equivalence else "non_inferiority"
            yield Adjustment(code, {"margin": self.margin, "relative": self.relative})
        if self.comparisons > 1:
            shared = {"tests": self.comparisons, "alpha": 1 - self.level, "correction": self.correction}
            yield Adjustment("several_tests", {**shared, "each": self.alpha})
        if self.r2:
            yield Adjustment("covariates", {"factor": 1 - self.r2, "r2": self.r2})
        if self.icc:
            design = design_effect(icc=self.icc, cluster_size=self.cluster_size, cluster_cv=self.cluster_cv)
            yield Adjustment("clusters", {"factor": design, "icc": self.icc, "size": self.cluster_size})
        if self.scales and self.kind != "proportion":
            yield Adjustment("spread_scales")
        if self.inflation > 1:
            yield Adjustment("looks", {"factor": self.inflation})


def corrected_alpha(alpha: float, *, comparisons: int, correction: str = "bonferroni") -> float:
    """Guaranteed alpha of each of m tests: alpha / m, or alpha without a correction.

    Holm, Hochberg, Hommel, Šidák and BH give every test at least this, so sizes are sufficient for all of them. BY
    gives every test at least alpha / (m Σ 1/i), i from 1 to m.

    Raises:
        UnknownNameError: If there is no such correction.
    """
    if correction not in CORRECTIONS:
        raise UnknownNameError("correction", correction, CORRECTIONS)
    if correction == "none":
        return alpha
    harmonic = sum(1 / i for i in range(1, comparisons + 1)) if correction == "by" else 1.0
    return alpha / (comparisons * harmonic)


def design_effect(*, icc: float, cluster_size: float, cluster_cv: float = 0.0) -> float:
    """Design effect of randomising clusters: 1 + ((1 + cv²) · m − 1) · ICC.

    Source: Eldridge, Ashby and Kerry (2006), eq. 2; with equal sizes that of Kish (1965).

    Example:
        >>> round(design_effect(icc=0.05, cluster_size=20, cluster_cv=0.5), 6)
        2.2
    """
    return 1.0 if icc == 0 else 1 + ((1 + cluster_cv**2) * cluster_size - 1) * icc


_ABSOLUTE: Final = Advice("absolute_effects", (Setting("relative", False),), "Or say {relative}.")
_ADDS: Final = Advice("effects_that_add", (Setting("scales", False),), "Or say {scales}.")


def _check(name: str, value: Any, good: bool, expected: str, advice: Advice | None = None) -> None:
    if not good:
        raise ArgumentValueError(name, f"is {value}, expected {expected}", advice=advice)


def _solve(power: Callable[[float], float], target: float, *, low: float, high: float) -> float:
    """The smallest value at which an increasing power reaches the target; infinite where it never does."""
    # Where there is no answer (a share above 1) the power is NaN, which counts as not reached.
    top = low
    while not power(top) >= target:
        if top >= high:
            return math.inf
        low, top = top, min(2 * top, high)
    for _ in range(200):
        middle = (low + top) / 2
        if middle in (low, top):
            break
        low, top = (low, middle) if power(middle) >= target else (middle, top)
    return top
