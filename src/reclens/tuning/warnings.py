"""Cautions on the result of a search, with their numbers.

Most published gains over baselines vanished once the baselines were tuned as carefully as the new models (Ferrari
Dacrema, Cremonesi, Jannach 2019, Are we really making much progress?; Rendle, Zhang, Koren 2019, On the difficulty of
evaluating baselines). So the first check of every search is which models may be under-tuned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Final

import numpy as np

from reclens.evaluation.results import OVERALL
from reclens.models._core.search_space import Choice, Float, Whole
from reclens.stats.bootstrap import difference, replicate_means
from reclens.stats.estimate import Estimate
from reclens.stats.summary import Summary
from reclens.tuning.results import Caution, Trial, Tuned
from reclens.tuning.schedule import Candidate

__all__ = ["SearchDiagnostics", "cautions_of", "expected_best", "optimism"]

RISING: Final = 0.01
"""A best value that half of the configurations would miss by more than this share of it was still rising."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SearchDiagnostics:
    """Inputs of the cautions.

    Attributes:
        metric: The metric.
        sign: 1 if higher is better, else -1.
        level: Confidence level of the intervals.
        trials: Budget of each model, in full fits.
        rungs: Number of rungs; 1 if every fit was on all users.
        seconds: Time limit of each model in seconds, or None.
        candidates: The models.
        best: The best configuration of each, best model first.
        done: All trials.
        summaries: (model, number) -> summary of a whole fit.
        popular: Summary of popular, fitted on the same data.
    """

    metric: str
    sign: int
    level: float
    trials: int
    rungs: int
    seconds: float | None
    candidates: Sequence[Candidate]
    best: Sequence[Tuned]
    done: Sequence[Trial]
    summaries: Mapping[tuple[str, int], Summary]
    popular: Summary

    def gap(self, ours: Summary, theirs: Summary) -> Estimate:
        """Paired difference of two full fits; above 0 if ours is better."""
        left, right = (ours, theirs) if self.sign > 0 else (theirs, ours)
        return difference(left, right, OVERALL, self.metric, level=self.level)[0]


def cautions_of(field: SearchDiagnostics) -> list[Caution]:
    """All cautions: those of single models in the order of the models, then those of all models."""
    found: list[Caution] = []
    for one in field.candidates:
        tuned = next(each for each in field.best if each.model == one.name)
        mine = [trial for trial in field.done if trial.model == one.name]
        found += _fewer(field, tuned)
        if tuned.configurations > 1:
            found += [*_edges(one, tuned), *_rising(field, tuned, mine), *_default(field, one, tuned)]
        elif one.left_alone and len(field.candidates) > 1 and any(each.space for each in field.candidates):
            found.append(_untuned(one))
        found += [*_popular(field, one, tuned), *_failed(one, mine), *_warned(one, mine)]
    if len(field.candidates) == 1:
        found.append(Caution("alone", field.candidates[0].name))
    return [*found, *_close(field)]


def expected_best(values: Sequence[float], m: int) -> float:
    """Expected maximum of m values drawn without replacement from the given ones.

    Dodge et al. (2019), Show your work: improved reporting of experimental results, draw with replacement. Without
    replacement, the expected maximum of all values is the best value found.

    >>> expected_best([1.0, 2.0, 3.0], 2)
    2.6666666666666665
    """
    ordered, n = sorted(values), len(values)
    return sum(value * comb(place, m - 1) for place, value in enumerate(ordered)) / comb(n, m)


def optimism(summaries: Sequence[Summary], metric: str, *, sign: int) -> float | None:
    """Optimism of the best of several values because it was selected (the winner's curse), by bootstrap.

    In each bootstrap replicate of the users the best is selected again; its value there minus its value on the original
    users is the optimism of the selection. The estimate is the mean over replicates. If all configurations are equally
    good, it is about 0.7 of the true optimism, because the original users favour some of them by chance too.

    Args:
        summaries: One per configuration, of the same users.
        metric: The column.
        sign: 1 if higher is better, else -1.

    References:
        Efron and Tibshirani (1993), An introduction to the bootstrap, chapter 17; Tibshirani and Tibshirani (2009), A
        bias correction for the minimum error rate in cross-validation.
    """
    if len(summaries) < 2:
        return None
    drawn = sign * np.stack([replicate_means(each, OVERALL, metric) for each in summaries])
    drawn = drawn[:, ~np.isnan(drawn).any(axis=0)]
    if not drawn.size:
        return None
    at = [each.index(OVERALL, metric) for each in summaries]
    means = sign * np.array([each.total[i, j] / each.n[i, j] for each, (i, j) in zip(summaries, at, strict=True)])
    winner = drawn.argmax(axis=0)
    return float((drawn.max(axis=0) - means[winner]).mean())


def _edges(one: Candidate, tuned: Tuned) -> Iterator[Caution]:
    for name, space in one.space.items():
        value = tuned.parameters[name]
        if isinstance(space, Choice) or not isinstance(value, int | float):
            continue
        side = space.edge(value)
        if side is None:
            continue
        wider = _wider(space, side, value)
        facts = {
            "parameter": name,
            "value": value,
            "low": space.low,
            "high": space.high,
            "side": side,
            "wider": {"low": wider.low, "high": wider.high, "log": wider.log, "whole": isinstance(wider, Whole)},
        }
        yield Caution("edge", one.name, facts)


def _wider(space: Float | Whole, side: str, value: float) -> Float | Whole:
    """The range, as far again beyond the end that the best value is at; ten times as far on the logarithmic scale."""
    low, high = space.low, space.high
    log = space.log and value > 0  # a default of 0 has no place on the logarithmic scale
    if log:
        low, high = (min(low / 10, value), high) if side == "low" else (low, max(high * 10, value))
    elif space.log:
        low = value
    else:
        low, high = (min(2 * low - high, value), high) if side == "low" else (low, max(2 * high - low, value))
    if isinstance(space, Whole):
        return Whole(max(int(low), 1 if log else 0), int(high), log)
    return Float(float(f"{low:.4g}"), float(f"{high:.4g}"), log)


def _rising(field: SearchDiagnostics, tuned: Tuned, mine: Sequence[Trial]) -> Iterator[Caution]:
    first = min(trial.rung for trial in mine)
    values = [field.sign * trial.value for trial in mine if trial.rung == first and trial.value is not None]
    if tuned.exhausted or len(values) < 4:
        return
    best, half = max(values), expected_best(values, len(values) // 2)
    if best - half > RISING * abs(best):
        facts = {"metric": field.metric, "half": field.sign * half, "best": field.sign * best}
        yield Caution("rising", tuned.model, facts | {"configurations": len(values), "trials": field.trials})


def _default(field: SearchDiagnostics, one: Candidate, tuned: Tuned) -> Iterator[Caution]:
    facts = {"others": tuned.configurations - 1, "trials": field.trials, "by_rungs": field.rungs > 1}
    if tuned.gain is None:
        yield Caution("default", one.name, facts)
    elif not _above_zero(tuned.gain):
        yield Caution("default", one.name, facts | _ends(tuned.gain))


def _popular(field: SearchDiagnostics, one: Candidate, tuned: Tuned) -> Iterator[Caution]:
    if not one.space:
        return
    gap = field.gap(field.summaries[one.name, tuned.number], field.popular)
    if not _above_zero(gap):
        yield Caution("popular", one.name, _ends(gap))


def _fewer(field: SearchDiagnostics, tuned: Tuned) -> Iterator[Caution]:
    if tuned.stopped:
        needed = 1.1 * tuned.seconds / tuned.spent * field.trials
        facts = {"spent": tuned.spent, "trials": field.trials, "seconds": field.seconds, "needed": needed}
        yield Caution("fewer", tuned.model, facts)


def _failed(one: Candidate, mine: Sequence[Trial]) -> Iterator[Caution]:
    failed = [trial for trial in mine if trial.error is not None]
    if failed:
        facts = {"count": len(failed), "of": len(mine), "parameters": dict(failed[0].parameters)}
        yield Caution("failed", one.name, facts | {"error": str(failed[0].error)})


def _warned(one: Candidate, mine: Sequence[Trial]) -> Iterator[Caution]:
    warned = [trial for trial in mine if trial.warned is not None]
    if warned:
        kinds = list(dict.fromkeys(kind for trial in warned for kind in str(trial.warned).split(", ")))
        facts = {"count": len(warned), "of": len(mine), "kinds": kinds, "parameters": dict(warned[0].parameters)}
        yield Caution("warned", one.name, facts | {"warning": str(warned[0].warning)})


def _untuned(one: Candidate) -> Caution:
    return Caution("untuned", one.name, {"parameters": list(one.left_alone)})


def _close(field: SearchDiagnostics) -> Iterator[Caution]:
    if len(field.best) < 2:
        return
    first, second = field.best[:2]
    gap = field.gap(field.summaries[first.model, first.number], field.summaries[second.model, second.number])
    if not _above_zero(gap):
        yield Caution("close", None, {"first": first.model, "second": second.model, **_ends(gap)})


def _above_zero(gap: Estimate) -> bool:
    # Where every user gains the same there is no interval, and no doubt either.
    return gap.value > 0 if gap.low is None else gap.low > 0


def _ends(gap: Estimate) -> dict[str, float | None]:
    return {"value": gap.value, "low": gap.low, "high": gap.high}
