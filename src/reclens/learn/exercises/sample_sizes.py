"""Exercise 2.2: users an arm for five metrics, from the data before the test."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from reclens.cards import Fact
from reclens.learn.child import call_functions
from reclens.learn.code_rules import forbidden
from reclens.learn.exercise import Draw, Exercise, Remark
from reclens.learn.headers import toml_header

__all__ = ["SampleSizes"]

_METRICS: Final = ("share", "mean", "ratio", "cuped", "coverage")
_ROOM: Final = 0.05
"""How far a size may lie from the formula, as a share of it."""
_USERS: Final = 4_000
_CATEGORIES: Final = 12
_Z: Final = 1.959963984540054 + 0.8416212335729143
"""Quantiles of the normal distribution for a two-sided test at 5 % with a power of 80 %."""

Call = tuple[str, list[Any]]


@dataclass(frozen=True, eq=False)
class _Past:
    """The data before a test, a row a user, and the effects that shall be found."""

    users: pl.DataFrame
    effects: Mapping[str, float]

    def calls(self) -> list[Call]:
        """What each function is given."""
        columns = {name: self.users[name].to_list() for name in self.users.columns}
        takes = {
            "share": ("bought",),
            "mean": ("spend",),
            "ratio": ("clicks", "impressions"),
            "cuped": ("spend", "spend_before"),
            "coverage": ("coverage",),
        }
        return [(name, [*(columns[each] for each in takes[name]), self.effects[name]]) for name in _METRICS]


class SampleSizes(Exercise):
    """The sizes that the functions give on the learner's data and on hidden ones, against the formulas."""

    code = "2.2"
    name = "size_five_metrics"
    files = ("sizes.py",)
    minutes = 90

    def facts(self, draw: Draw) -> dict[str, Fact]:
        """The effects that shall be found on the learner's data."""
        shown: dict[str, Fact] = {name: f"{value:.4g}" for name, value in _past(draw).effects.items()}
        return {**shown, "room": round(100 * _ROOM), "users": _USERS, "categories": _CATEGORIES}

    def write_data(self, draw: Draw, folder: Path) -> None:
        """A row a user."""
        _past(draw).users.write_parquet(folder / "before.parquet")

    def templates(self, draw: Draw) -> dict[str, str]:
        """Functions without a body."""
        return {"sizes.py": toml_header(draw) + _TEMPLATE}

    def judge(self, answer: Mapping[str, str], draw: Draw) -> Iterator[Remark]:
        """Call the functions on the learner's data and on three others."""
        found = list(forbidden("sizes.py", answer["sizes.py"]))
        yield from found
        if found:
            return
        pasts = [_past(each) for each in (draw, *draw.hidden())]
        calls = [call for past in pasts for call in past.calls()]
        results = call_functions("sizes.py", answer["sizes.py"], calls)
        if isinstance(results, Remark):
            yield results
            return
        seen: set[str] = set()
        for number, ((name, arguments), result) in enumerate(zip(calls, results, strict=True)):
            right = _by_formula(name, *arguments)
            wrong = result.failed or result.value is None or not abs(result.value / right - 1) <= _ROOM
            if wrong and name not in seen:
                seen.add(name)
                hidden = number >= len(_METRICS)
                yield Remark(
                    "wrong_size_of_test",
                    {"function": name, "seen": result.failed or _rounded(result.value), "hidden": hidden},
                )
                if not hidden and name == "ratio" and result.value and _is_naive(result.value, arguments):
                    yield Remark("impressions_as_units", {"function": name})

    def solve(self, draw: Draw, folder: Path) -> None:
        """The formulas."""
        (folder / "sizes.py").write_text(toml_header(draw) + _SOLUTION, encoding="utf-8")


def _rounded(value: float | None) -> str:
    return "nothing" if value is None else f"{value:,.0f}"


def _by_formula(name: str, *given: Any) -> float:
    """Users an arm: the variance of a user's value in both arms × (z of the level + z of the power)² ÷ effect²."""
    *columns, effect = given
    arrays = [np.asarray(each, dtype=float) for each in columns]
    return _variance_of_both(name, arrays, effect) * _Z**2 / effect**2


def _variance_of_both(name: str, columns: list[np.ndarray], effect: float) -> float:
    if name == "share":
        share = float(columns[0].mean())
        return share * (1 - share) + (share + effect) * (1 - share - effect)
    if name == "ratio":
        clicks, impressions = columns
        ratio = clicks.sum() / impressions.sum()
        return 2 * float((clicks - ratio * impressions).var(ddof=1)) / float(impressions.mean()) ** 2
    if name == "cuped":
        spend, before = columns
        correlation = float(np.corrcoef(spend, before)[0, 1])
        return 2 * float(spend.var(ddof=1)) * (1 - correlation**2)
    return 2 * float(columns[0].var(ddof=1))


def _is_naive(value: float, given: list[Any]) -> bool:
    """Whether a size of a ratio takes impressions for independent units."""
    clicks, impressions, effect = given
    ratio = sum(clicks) / sum(impressions)
    naive = 2 * ratio * (1 - ratio) * _Z**2 / effect**2
    return any(abs(value / each - 1) <= _ROOM for each in (naive, naive / (sum(impressions) / len(impressions))))


@lru_cache(maxsize=16)
def _past(draw: Draw) -> _Past:
    """Users whose values have a share, a heavy tail, a ratio over unequal users, a covariate and a lattice."""
    rng = draw.rng("past")
    taste = rng.normal(size=_USERS)
    bought = rng.random(_USERS) < rng.uniform(0.05, 0.4)
    before = np.exp(rng.uniform(0.6, 1.1) * taste + rng.uniform(1.5, 3))
    spend = before * np.exp(rng.uniform(0.2, 0.6) * rng.normal(size=_USERS))
    impressions = 1 + rng.poisson(np.exp(rng.uniform(1.5, 3) + 0.8 * rng.normal(size=_USERS)))
    concentration = rng.uniform(4, 12)
    rate = rng.uniform(0.03, 0.2)
    chance = rng.beta(rate * concentration, (1 - rate) * concentration, _USERS)
    covered = rng.binomial(_CATEGORIES, rng.beta(4, rng.uniform(3, 9), _USERS)) / _CATEGORIES
    users = pl.DataFrame(
        {
            "user_id": np.arange(1, _USERS + 1),
            "bought": bought.astype(np.int8),
            "spend": np.round(spend, 2),
            "spend_before": np.round(before, 2),
            "clicks": rng.binomial(impressions, chance),
            "impressions": impressions,
            "coverage": covered,
        }
    )
    sizes = rng.integers(800, 4_000, len(_METRICS))
    effects = {name: _effect(name, users, int(size)) for name, size in zip(_METRICS, sizes, strict=True)}
    return _Past(users, effects)


def _effect(name: str, users: pl.DataFrame, size: int) -> float:
    """The effect that about so many users an arm find, to three digits, as somebody would write it down."""
    columns = {"mean": ["spend"], "ratio": ["clicks", "impressions"], "cuped": ["spend", "spend_before"]}
    names = columns.get(name, ["bought"] if name == "share" else ["coverage"])
    variance = _variance_of_both(name, [users[each].to_numpy().astype(float) for each in names], 0.0)
    return float(f"{math.sqrt(variance * _Z**2 / size):.3g}")


_TEMPLATE: Final = '''

def share(bought, effect):
    """Users an arm that find a difference of ``effect`` in the share of users who bought."""


def mean(spend, effect):
    """Users an arm that find a difference of ``effect`` in the mean spend of a user."""


def ratio(clicks, impressions, effect):
    """Users an arm that find a difference of ``effect`` in clicks per impression."""


def cuped(spend, spend_before, effect):
    """Users an arm that find a difference of ``effect`` in the mean spend, adjusted for the spend before."""


def coverage(coverage, effect):
    """Users an arm that find a difference of ``effect`` in the mean coverage of a user's list."""
'''
_SOLUTION: Final = """
import numpy as np

Z = 1.959964 + 0.841621


def size(variance_of_both, effect):
    return variance_of_both * Z**2 / effect**2


def share(bought, effect):
    p = np.mean(bought)
    return size(p * (1 - p) + (p + effect) * (1 - p - effect), effect)


def mean(spend, effect):
    return size(2 * np.var(spend, ddof=1), effect)


def ratio(clicks, impressions, effect):
    clicks, impressions = np.array(clicks), np.array(impressions)
    residual = clicks - clicks.sum() / impressions.sum() * impressions
    return size(2 * residual.var(ddof=1) / impressions.mean() ** 2, effect)


def cuped(spend, spend_before, effect):
    correlation = np.corrcoef(spend, spend_before)[0, 1]
    return size(2 * np.var(spend, ddof=1) * (1 - correlation**2), effect)


def coverage(coverage, effect):
    return size(2 * np.var(coverage, ddof=1), effect)
"""


def _coded(old: str, new: str) -> Callable[[Draw, Path], None]:
    """A wrong answer: one thing of the functions is otherwise."""
    assert old in _SOLUTION

    def write(draw: Draw, folder: Path) -> None:
        (folder / "sizes.py").write_text(toml_header(draw) + _SOLUTION.replace(old, new), encoding="utf-8")

    return write


def _constants(draw: Draw, folder: Path) -> None:
    """The right sizes of the learner's own data, as constants."""
    sizes = {name: _by_formula(name, *arguments) for name, arguments in _past(draw).calls()}
    code = "\n\n".join(f"def {name}(*given):\n    return {value!r}" for name, value in sizes.items())
    (folder / "sizes.py").write_text(f"{toml_header(draw)}\n{code}\n", encoding="utf-8")


SampleSizes.wrong = {
    "impressions as units": _coded(
        "size(2 * residual.var(ddof=1) / impressions.mean() ** 2, effect)",
        "size(2 * (q := clicks.sum() / impressions.sum()) * (1 - q), effect) / impressions.mean()",
    ),
    "one arm's variance": _coded("return variance_of_both * Z**2", "return variance_of_both / 2 * Z**2"),
    "power forgotten": _coded("Z = 1.959964 + 0.841621", "Z = 1.959964"),
    "one-sided": _coded("1.959964", "1.644854"),
    "correlation not squared": _coded("(1 - correlation**2)", "(1 - correlation)"),
    "constants": _constants,
}
