"""Users that interleaving and an A/B test need, measured in a simulated world."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from reclens.errors import ArgumentValuesError
from reclens.experiment.interleaving.lists import Method, interleave
from reclens.experiment.interleaving.preference import LEAST_CREDITED, Preference, credit, preference_of
from reclens.stats.estimate import Estimate
from reclens.stats.resample import POISSON, unit_weights
from reclens.stats.sequential.group import GroupSequential
from reclens.tabular import Tabular
from reclens.world.population import World
from reclens.world.response import respond

__all__ = ["MethodSensitivity", "Sensitivity", "measure_sensitivity", "units_needed"]

_DRAWS: Final = 1_000
_EQUAL: Final = 1e-12


@dataclass(frozen=True, kw_only=True)
class MethodSensitivity:
    """The sensitivity of one method of comparison.

    Attributes:
        method: ``ab`` or a method of interleaving.
        effect: Mean of what it measures, in its own units: clicks a list for A/B, credit a list otherwise; first
            ranker minus second.
        noise: Standard deviation of the effect over users; for A/B √(2 (s₁² + s₂²)), since a user sees only one of the
            two.
        users: Users needed in all, one list each, for the power asked for: by Welch's test for A/B, by the test of the
            mean credit otherwise; with an interval over users.
        gain: Users that A/B needs ÷ users that this needs, with an interval.
        preference: The winner on the shown lists; None for A/B.
    """

    method: str
    effect: Estimate
    noise: float
    users: Estimate
    gain: Estimate
    preference: Preference | None


@dataclass(frozen=True)
class Sensitivity(Tabular):
    """The sensitivity of several methods, measured on the same users.

    Attributes:
        methods: A/B first.
        power: Required power.
        level: Confidence level of tests and intervals.
        lists: Lists that each user was shown, of each kind.
    """

    methods: tuple[MethodSensitivity, ...]
    power: float
    level: float
    lists: int

    def __getitem__(self, method: str) -> MethodSensitivity:
        return next(each for each in self.methods if each.method == method)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per method."""
        return [
            {
                "method": each.method,
                "effect": each.effect.value,
                "effect_low": each.effect.low,
                "effect_high": each.effect.high,
                "users_needed": each.users.value,
                "users_low": each.users.low,
                "users_high": each.users.high,
                "gain": each.gain.value,
                "gain_low": each.gain.low,
                "gain_high": each.gain.high,
                "p_value": each.preference.p_value if each.preference else None,
                "verdict": each.preference.verdict if each.preference else None,
            }
            for each in self.methods
        ]


def units_needed(
    effect: float,
    noise: float,
    *,
    power: float = 0.8,
    level: float = 0.95,
    credited: float = 1.0,
    looks: GroupSequential | None = None,
) -> float:
    """Units at which the test of the mean credit finds an effect: the test that :func:`preference` makes.

    n = (c + z_power)² (noise ÷ effect)², where c = q √(n ÷ (n - q²)) and q is Student's quantile at n · credited - 1
    degrees of freedom; see :func:`reclens.experiment.interleaving.preference.score_estimate`.

    Args:
        effect: Mean credit a unit.
        noise: Standard deviation of the credit of a unit.
        power: Probability of finding the effect.
        level: Confidence level of the test, over all looks.
        credited: Share of the units that have credit.
        looks: Planned interim looks; the units are those of the last look.

    Returns:
        Units, not rounded; infinite without an effect.

    >>> round(units_needed(0.1, 1.0), 1), round(units_needed(0.1, 1.0, credited=0.05), 1)
    (789.3, 822.3)
    """
    ratio = np.array([math.inf if not effect else (noise / effect) ** 2])
    return float(_sizes(ratio, np.array([credited]), power, level)[0]) * (looks.inflation if looks is not None else 1)


def _sizes(ratio: np.ndarray, credited: np.ndarray | None, power: float, level: float) -> np.ndarray:
    """Sizes of tests of a mean whose noise ÷ effect is √ratio; ``credited`` None is Welch's test of two halves."""
    from scipy.special import ndtri, stdtrit

    z, tail = float(ndtri(power)), 0.5 + level / 2
    found = np.where(np.isfinite(ratio), (float(ndtri(tail)) + z) ** 2 * ratio, np.inf)
    finite = np.isfinite(found)
    some, share = ratio[finite], None if credited is None else np.maximum(credited[finite], 1e-9)
    n = found[finite]
    for _ in range(40):
        if share is None:
            bound = stdtrit(np.maximum(n - 2, 1), tail)
            n = (bound + z) ** 2 * some
        else:
            q2 = stdtrit(np.maximum(n * share - 1, 1), tail) ** 2
            n = np.maximum((np.sqrt(q2 * n / np.maximum(n - q2, n / 100)) + z) ** 2 * some, q2 + 1)
    found[finite] = n
    return found


def measure_sensitivity(
    world: World,
    first: np.ndarray,
    second: np.ndarray,
    *,
    k: int = 10,
    lists: int = 5,
    methods: Sequence[Method] = ("team_draft", "balanced", "probabilistic", "optimized"),
    users: np.ndarray | None = None,
    power: float = 0.8,
    level: float = 0.95,
    seed: int = 0,
    looks: GroupSequential | None = None,
) -> Sensitivity:
    """Show users of a world both rankings and mixtures of them, and measure the sensitivity of each method.

    Each user sees ``lists`` lists of each kind, with new luck each time. Users needed are for one list a user. A user
    is resampled with all their lists (Poisson bootstrap), in all ways at once, so that gains are paired.

    Args:
        world: Where.
        first: Items of the first ranker for each user, best first; shape (users, length).
        second: Of the second.
        k: Length of lists.
        lists: Number of lists of each kind per user.
        methods: Methods of interleaving.
        users: Codes of the users of the rows; all users of the world without.
        power: Required power.
        level: Of tests and intervals.
        seed: Seed of the random numbers.
        looks: Planned interim looks; the users needed are those of the last look.

    Raises:
        UsageError: If an argument is out of range.
    """
    if lists < 1 or not 0 < power < 1:
        raise ArgumentValuesError({"lists": lists, "power": power}, "1 or more, and a number between 0 and 1")
    people = np.arange(world.users.height) if users is None else np.asarray(users)
    who = np.repeat(np.arange(len(people)), lists)
    number = np.tile(np.arange(lists), len(people))

    def clicked(shown: np.ndarray) -> np.ndarray:
        return respond(world, people[who], shown, requests=number, seed=seed).clicked

    clicks = [clicked(np.asarray(each)[who, :k]).any(axis=1).astype(float) for each in (first, second)]
    scores: dict[str, np.ndarray] = {}
    for method in methods:
        made = interleave(np.asarray(first)[who], np.asarray(second)[who], k=k, method=method, rng=seed)
        scores[method] = credit(made, clicked(made.lists))
    sums = {"ab": _sums(clicks[0] - clicks[1], who), "a": _sums(clicks[0], who), "b": _sums(clicks[1], who)}
    sums |= {method: _sums(values, who) for method, values in scores.items()}
    draws = unit_weights(np.arange(len(people), dtype=np.uint64), range(_DRAWS), seed=seed, scheme=POISSON)
    found: list[MethodSensitivity] = []
    base = _needed(sums, "ab", draws, power, level)
    n, sure, planned = len(people), True, looks.inflation if looks is not None else 1.0
    for method in ("ab", *methods):
        value, drawn, noise, effect, effects = base if method == "ab" else _needed(sums, method, draws, power, level)
        seen = _span(effect, effects, n, level)
        clear = seen.low is not None and seen.high is not None and seen.low * seen.high > 0
        sure = clear if method == "ab" else sure
        value, drawn = value * planned, drawn * planned
        with np.errstate(invalid="ignore", divide="ignore"):
            gain, gains = np.divide(base[0], value) * planned, base[1] / drawn * planned
        say = None if method == "ab" else preference_of(method, sums[method][0], level, looks=looks)
        found.append(
            MethodSensitivity(
                method=method,
                effect=seen,
                noise=noise,
                users=_span(value, drawn, n, level, clear=clear),
                gain=_span(float(gain), gains, n, level, clear=clear and sure),
                preference=say,
            )
        )
    return Sensitivity(tuple(found), power, level, lists)


def _sums(values: np.ndarray, who: np.ndarray) -> np.ndarray:
    """Σ, Σ of squares, count, and lists with credit of each user; shape (4, users)."""
    parts = (values, values**2, np.ones_like(values), np.abs(values) > _EQUAL)
    return np.stack([np.bincount(who, each) for each in parts])


def _needed(
    sums: dict[str, np.ndarray], method: str, draws: np.ndarray, power: float, level: float
) -> tuple[float, np.ndarray, float, float, np.ndarray]:
    """Users needed, and in each draw; the noise, the effect, and that in each draw."""
    parts = ("a", "b") if method == "ab" else (method,)
    means, spreads, credited = zip(*(_moments(sums[part], draws) for part in parts), strict=True)
    effects = means[0] - means[1] if method == "ab" else means[0]
    noises = np.sqrt(2 * (spreads[0] + spreads[1]) if method == "ab" else spreads[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(effects == 0, np.inf, (noises / effects) ** 2)
    needed = _sizes(ratios, None if method == "ab" else credited[0], power, level)
    if method in LEAST_CREDITED:
        needed = np.maximum(needed, _enough(LEAST_CREDITED[method], power) / np.maximum(credited[0], 1e-300))
    return float(needed[0]), needed[1:], float(noises[0]), float(effects[0]), effects[1:]


def _enough(least: int, power: float) -> float:
    """Mean number of units with credit (Poisson) at which there are ``least`` of them with a probability ``power``."""
    from scipy.special import gammaincinv

    return float(gammaincinv(least, power))  # P(Poisson(mean) >= least) is the regularised incomplete gamma function


def _moments(sums: np.ndarray, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, variance and share with credit of single lists: of all users first, then of each draw."""
    total = np.concatenate([sums.sum(axis=1)[:, None], sums @ draws], axis=1)
    mean = total[0] / total[2]
    return mean, np.maximum(total[1] / total[2] - mean**2, 0), total[3] / total[2]


def _span(value: float, drawn: np.ndarray, n: int, level: float, *, clear: bool = True) -> Estimate:
    if not clear or not np.isfinite(value):
        return Estimate(value, low=None, high=None, n=n, level=level, note="effect_not_told")
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, low=float(low), high=float(high), n=n, level=level)
