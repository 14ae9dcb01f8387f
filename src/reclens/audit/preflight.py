"""Preflight checks of an audit on its own data, with rankers whose numbers are known in advance.

Three rankers are measured on the same users, truth and catalogue as the system: an oracle, which lists only relevant
items and must reach the best value of every metric; a random ranker, whose hits and exposure shares must match chance;
and the random ranker with users in another order, which must give the same numbers. A failure means that ids, truth or
catalogue are inconsistent, and stops the audit.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np

from reclens.audit.distances import list_distances, shares
from reclens.audit.measure import AuditMeasures, plan_of
from reclens.errors import DataError
from reclens.evaluation.measuring import lists_of
from reclens.evaluation.passes import CodedLists
from reclens.stats.replicated import replicated_means
from reclens.tabular import Tabular

__all__ = ["Preflight", "PreflightCheck", "preflight", "refuse_failed"]

Ranker = Literal["oracle", "random", "identical"]
_USERS: Final = 2_000
_LISTS: Final = 20_000
"""Random lists, at least, whose mean distance is what distances are held against."""
_FAR: Final = 5.0
"""Standard errors from chance at which a random ranker fails: once in 2 million checks."""
_ALL: Final = ("overall", "all")


@dataclass(frozen=True, kw_only=True)
class PreflightCheck(Tabular):
    """A number of a ranker that is known in advance.

    Attributes:
        ranker: The ranker.
        measure: What was measured.
        expected: Expected value.
        found: Measured value.
        tolerance: Allowed difference: rounding error, or five standard errors of chance.
        passed: Whether it is within the tolerance.
    """

    ranker: Ranker
    measure: str
    expected: float
    found: float
    tolerance: float
    passed: bool

    def to_dicts(self) -> list[dict[str, Any]]:
        """As one row of a table."""
        return [asdict(self)]


@dataclass(frozen=True, kw_only=True)
class Preflight(Tabular):
    """The checks, and the distances of random lists.

    Attributes:
        checks: The checks.
        random: Column -> mean distance of random lists, such as ``"ndkl|brand"``.
        random_error: Column -> standard error of that mean, of the lists that were drawn and of the users that were.
        users: Number of users of the rankers.
    """

    checks: tuple[PreflightCheck, ...]
    random: dict[str, float]
    random_error: dict[str, float]
    users: int

    @property
    def passed(self) -> bool:
        """Whether all checks passed."""
        return all(check.passed for check in self.checks)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per check."""
        return [asdict(check) for check in self.checks]


def preflight(measures: AuditMeasures, *, rng: int = 0) -> Preflight:
    """Measure rankers whose numbers are known on the users, truth and catalogue of an audit.

    Args:
        measures: The sums of the audit.
        rng: Seed of the random ranker.
    """
    context, k = measures.context, measures.settings.k
    users = np.arange(len(context.users))
    drawn = np.random.default_rng(rng)
    users = np.sort(drawn.choice(users, min(_USERS, len(users)), replace=False))
    catalogue = np.flatnonzero(context.catalogue.in_catalogue).astype(np.int32)
    length = min(k, len(catalogue))
    random = _lists(users, catalogue[_without_repeats(len(users), len(catalogue), length, drawn)], k)
    checks = _random_checks(measures, random) + _identical_checks(measures, random, drawn)
    if measures.has_truth:
        checks += _oracle_checks(measures, users)
    random, errors = _random_distances(measures, users, catalogue, drawn)
    return Preflight(checks=tuple(checks), random=random, random_error=errors, users=len(users))


def _random_distances(
    measures: AuditMeasures, users: np.ndarray, catalogue: np.ndarray, drawn: np.random.Generator
) -> tuple[dict[str, float], dict[str, float]]:
    """Mean distances of random lists, several a user, and their standard errors."""
    context, k = measures.context, measures.settings.k
    length = min(k, len(catalogue))
    repeats = max(_LISTS // max(len(users), 1), 1)
    many = np.tile(users, repeats)
    items = np.full((len(many), k), -1, np.int32)
    items[:, :length] = catalogue[_without_repeats(len(many), len(catalogue), length, drawn)]
    means: dict[str, float] = {}
    errors: dict[str, float] = {}
    for attribute, groups in measures.groups.items():
        found = {"shown": groups.of_lists(items, np.ones(k)), "exposure": groups.of_lists(items, measures.weights)}
        if context.profiles is not None:
            owned = groups.of_rows(users, context.profiles.indptr, context.profiles.items)
            found["profile"] = np.tile(shares(owned), (repeats, 1))
        distances = list_distances(groups, items, found)
        for kind, each in distances.items():
            means[f"{kind}|{attribute}"] = float(np.nanmean(each))
            errors[f"{kind}|{attribute}"] = _error_of_mean(each.reshape(repeats, -1), len(context.users))
    return means, errors


def _without_repeats(n: int, size: int, length: int, drawn: np.random.Generator) -> np.ndarray:
    """Ordered samples of ``length`` of ``size`` numbers, without repeats within a row, shape (n, length)."""
    if length**2 > size:  # most rows would have repeats
        blocks = []
        for at in range(0, n, _USERS):
            keys = drawn.random((min(_USERS, n - at), size))
            blocks.append(drawn.permuted(keys.argpartition(length - 1, axis=1)[:, :length], axis=1))
        return np.concatenate(blocks)
    found = drawn.integers(0, size, (n, length))
    again = np.arange(n)
    while len(again):
        in_order = np.sort(found[again], axis=1)
        again = again[(in_order[:, 1:] == in_order[:, :-1]).any(axis=1)]
        found[again] = drawn.integers(0, size, (len(again), length))
    return found


def _error_of_mean(values: np.ndarray, population: int) -> float:
    """Of the mean over lists, several a user, shape (repeats, users), of users drawn from a population without repeats.

    Whoever is drawn is among the users of the audit, so that nothing is left of their spread once all are.
    """
    values = values[:, ~np.isnan(values).any(axis=0)]
    repeats, n = values.shape
    if n < 2:
        return 0.0
    within = float(values.var(axis=0, ddof=1).mean()) / repeats if repeats > 1 else 0.0
    between = max(float(values.mean(axis=0).var(ddof=1)) - within, 0.0)
    return math.sqrt((within + between * max(1 - n / population, 0.0)) / n)


def refuse_failed(found: Preflight, source: str) -> None:
    """Stop the audit if a check failed.

    Raises:
        DataError: Naming the first check that failed.
    """
    for check in found.checks:
        if not check.passed:
            raise DataError(
                f"the preflight failed: the {check.ranker} ranker has {check.measure} {check.found:.4g}, expected "
                f"{check.expected:.4g}",
                source=source,
                fix="Check that the ids of truth, training data and attributes are those of the lists.",
            )


def _lists(users: np.ndarray, items: np.ndarray, k: int) -> CodedLists:
    padded = np.full((len(users), k), -1, np.int32)
    padded[:, : items.shape[1]] = items
    return CodedLists(users=users.astype(np.int64), items=padded, length=(padded >= 0).sum(axis=1).astype(np.int32))


def _oracle_checks(measures: AuditMeasures, users: np.ndarray) -> list[PreflightCheck]:
    """Relevant items alone: NDCG, hit rate and MRR are 1, and recall is min(k, relevant) ÷ relevant."""
    context, k = measures.context, measures.settings.k
    known = users[context.n_relevant[users] > 0]
    if not len(known):
        return []
    items = np.full((len(known), k), -1, np.int32)
    for row, user in enumerate(known):
        begin, end = context.indptr[user], context.indptr[user + 1]
        best = np.argsort(-context.gains[begin:end], kind="stable")[:k]
        items[row, : len(best)] = context.relevant[begin:end][best]
    lists = CodedLists(users=known.astype(np.int64), items=items, length=(items >= 0).sum(axis=1).astype(np.int32))
    values = plan_of(measures).measure(lists).values
    checks = []
    for at, spec in enumerate(measures.metrics):
        depth = min(spec.k or k, k)
        reachable = {
            "ndcg": np.ones(len(known)),
            "hit_rate": np.ones(len(known)),
            "mrr": np.ones(len(known)),
            "recall": np.minimum(depth, context.n_relevant[known]) / context.n_relevant[known],
        }.get(spec.info.name)
        if reachable is None or (spec.k or k) > k:
            continue
        checks.append(_check("oracle", spec.text, float(reachable.mean()), float(values[:, at].mean()), 1e-9))
    return checks


def _random_checks(measures: AuditMeasures, lists: CodedLists) -> list[PreflightCheck]:
    """Hits are those of drawing k of the catalogue without replacement; shares of exposure those of the catalogue."""
    context, part = measures.context, plan_of(measures).measure(lists)
    n_items, n = context.catalogue.n_items, len(lists.users)
    checks = []
    if measures.has_truth:
        inside = context.catalogue.in_catalogue[context.relevant]
        owner = np.repeat(np.arange(len(context.users)), context.n_relevant)
        relevant = np.bincount(owner, inside, minlength=len(context.users))[lists.users]
        drawn = lists.length.astype(np.float64)
        share = relevant / n_items
        spread = drawn * share * (1 - share) * (n_items - drawn) / max(n_items - 1, 1)
        hits = int(lists_of(context, lists).hits.sum())
        tolerance = _FAR * math.sqrt(max(float(spread.sum()), 1.0)) / n
        checks.append(_check("random", "hits", float((drawn * share).sum()) / n, hits / n, tolerance))
    for attribute, groups in measures.groups.items():
        columns = [f"exposure|{attribute}|{label}" for label in groups.labels]
        exposure = replicated_means(part.summary, _ALL, columns)
        found = exposure / exposure.sum()
        for at, label in enumerate(groups.labels):
            expected = float(groups.sizes[at] / groups.sizes.sum())
            if expected * lists.length.sum() < 30:  # too few places for a normal error
                continue
            error = float(found[at].standard_error())
            checks.append(
                _check(
                    "random", f"exposure of {attribute}: {label}", expected, float(found[at].value), _FAR * error + 1e-9
                )
            )
    return checks


def _identical_checks(measures: AuditMeasures, lists: CodedLists, drawn: np.random.Generator) -> list[PreflightCheck]:
    """The same lists in another order of users: every sum is the same, and so is every replicate."""
    order = drawn.permutation(len(lists.users))
    shuffled = CodedLists(users=lists.users[order], items=lists.items[order], length=lists.length[order])
    plan = plan_of(measures)
    one, other = plan.measure(lists).summary, plan.measure(shuffled).summary
    scale = np.maximum(np.abs(one.sums), 1.0)
    apart = float((np.abs(one.sums - other.sums) / scale).max(initial=0.0))
    return [_check("identical", "difference", 0.0, apart, 1e-9)]


def _check(ranker: Ranker, measure: str, expected: float, found: float, tolerance: float) -> PreflightCheck:
    passed = bool(abs(found - expected) <= tolerance)
    return PreflightCheck(
        ranker=ranker, measure=measure, expected=expected, found=found, tolerance=tolerance, passed=passed
    )
