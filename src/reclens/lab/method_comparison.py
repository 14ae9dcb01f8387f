"""One world, four verdicts: the true effect of a change, and the results of an A/B test, interleaving and a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from reclens.engine import Progress, quiet
from reclens.errors import Advice, Setting, UsageError
from reclens.experiment.interleaving.lists import Method
from reclens.experiment.off_policy.evaluate import OffPolicy, PolicyValue, evaluate_policy
from reclens.experiment.off_policy.log import Decisions, Target
from reclens.experiment.off_policy.pseudo_inverse import can_invert, pseudo_inverse_weights
from reclens.experiment.off_policy.slate import PLACE_BY_PLACE, evaluate_lists, prefix_chances
from reclens.experiment.off_policy.weights import Limits
from reclens.lab.interleaving import MethodSensitivity, Sensitivity, measure_sensitivity
from reclens.lab.method_verdict import CautionCode, MethodVerdict, Says, is_right, is_same, verdict_of
from reclens.lab.simulation import ab_difference
from reclens.memory import require_memory
from reclens.stats.difference import Difference
from reclens.stats.estimate import Estimate, mean_estimate
from reclens.stats.sequential.group import GroupSequential
from reclens.tabular import Tabular
from reclens.world.arm import Arm
from reclens.world.policy import Policy
from reclens.world.population import World
from reclens.world.response import respond
from reclens.world.simulation import simulate
from reclens.world.strategies import Consumed
from reclens.world.truth import REPLICATES, Truth, true_effect

__all__ = ["MethodComparison", "explored_log", "first_day_lists", "four_verdicts"]

_FEW: Final = 400
"""Users whose lists are mixed by the linear program, which takes milliseconds for each."""


@dataclass(frozen=True, eq=False, kw_only=True)
class MethodComparison(Tabular):
    """The true effect, and the estimate of each method.

    Attributes:
        truth: All users treated against no user treated, over all days.
        list_truth: Expected clicks per list of the treatment minus those of the control, on the first day, over users:
            the truth for interleaving and logs.
        ab: A/B estimates over the same days: clicks per user and clicks per list.
        sensitivity: A/B and interleaving on lists of the first day: the winner, and the users needed.
        off_policy: Estimates by item and position, from a log with exploration; treatment against control.
        off_policy_lists: The same by whole lists.
        places: Length of the lists; values of decisions are per position.
        names: Treatment and control.
    """

    truth: Truth
    list_truth: Estimate
    ab: Mapping[str, Difference]
    sensitivity: Sensitivity
    off_policy: OffPolicy
    off_policy_lists: OffPolicy
    places: int
    names: tuple[str, str]

    @property
    def rows(self) -> tuple[MethodVerdict, ...]:
        """Each estimate with its truth, its verdict, and whether the verdict is right."""
        rows: list[MethodVerdict] = []
        for metric, found in self.ab.items():
            true = self.truth[metric].difference
            rows.append(verdict_of("truth", "everybody against nobody", metric, true, true))
            row = verdict_of("A/B", "Welch" if metric == "clicks" else "delta method", metric, found.absolute, true)
            rows.append(replace(row, p_value=found.p_value))
        first = verdict_of("truth", "first day", "clicks a list", self.list_truth, self.list_truth)
        rows.append(replace(first, caution="exact_for_these_users"))
        rows += [self._mixed(each) for each in self.sensitivity.methods]
        items = [self._from_log(each, self.off_policy, self.places) for each in self.off_policy.values]
        lists = [self._from_log(each, self.off_policy_lists, 1) for each in self.off_policy_lists.values]
        return (*rows, *items, *(row for row in lists if not any(is_same(row, other) for other in items)))

    def to_dicts(self) -> list[dict[str, Any]]:
        """One row per verdict: the estimate, its truth, the verdict, and whether it is right."""
        return [row.to_dict() for row in self.rows]

    def _mixed(self, each: MethodSensitivity) -> MethodVerdict:
        plain = each.method == "ab"
        row = verdict_of(
            "A/B, lists alone" if plain else "interleaving",
            each.method,
            "clicks a list" if plain else "credit a list",
            each.effect,
            self.list_truth,
        )
        row = replace(row, users_needed=each.users.value, gain=each.gain)
        liked = each.preference
        if liked is None:
            return row
        sides: dict[str, Says] = {"first": "treatment", "second": "control"}
        said: Says = sides.get(liked.verdict, "undecided") if liked.enough else "none"
        caution: CautionCode | None = "known_bias" if liked.known_bias else None if liked.enough else "few_credited"
        right = is_right(said, self.list_truth)
        return replace(row, says=said, right=right, p_value=liked.p_value, caution=caution)

    def _from_log(self, each: PolicyValue, found: OffPolicy, places: int) -> MethodVerdict:
        gap = each.difference
        low, high = (None if end is None else places * end for end in (gap.low, gap.high))
        scaled = Estimate(places * gap.value, low=low, high=high, n=gap.n, level=gap.level, note=gap.note)
        row = verdict_of("off-policy", each.estimator, "clicks a list", scaled, self.list_truth)
        own = found.weights.effective if each.effective is None else each.effective
        row = replace(row, effective=own, objections=found.objections, value=each)
        if found.objections or each.refused is not None:
            return replace(row, says="none", right=None, caution="objected" if found.objections else "refused")
        alone = self.places > 1 and (found.unit == "decision" or each.estimator in PLACE_BY_PLACE)
        return replace(row, caution="by_place" if alone else None, found=replace(scaled, note=None))


def four_verdicts(
    world: World,
    treatment: Arm,
    control: Arm,
    *,
    days: int = 14,
    retrain: int = 7,
    replicates: int = REPLICATES,
    lists: int = 10,
    explore: Policy | None = None,
    methods: Sequence[Method] = ("team_draft", "balanced", "probabilistic", "optimized"),
    limits: Limits | None = None,
    looks: GroupSequential | None = None,
    level: float = 0.95,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress = quiet,
) -> MethodComparison:
    """Compute the true effect of a change, and compare an A/B test, interleaving and off-policy estimates with it.

    The A/B test measures all effects over the days: visits, learning from each other, satiation. Interleaving and a log
    measure one list, and are compared with the truth of one list. The log is of the first day: ``lists`` lists of each
    user, drawn from the candidates of both strategies. Estimators by item and position are biased if items compete for
    a click, as they do in this world; those of whole lists are not, but have a small effective sample.

    Args:
        world: Where.
        treatment: The change; its lists are compared as its policy's greedy ones.
        control: The arm that it is compared with.
        days: Of truth and A/B test.
        retrain: Days from one training to the next.
        replicates: Replicates of the truth, each with its own random numbers.
        lists: Lists of each user, in each mixture and in the log.
        explore: Policy of the log, epsilon or softmax over the candidates of the control and then of the treatment; if
            None, all lists of the candidates are equally likely.
        methods: Ways to interleave; ``optimized`` is measured on 400 users at most and needs k ≤ 10.
        limits: Limits below which a log gives no verdict.
        looks: Planned interim looks at the interleaved lists; the verdict is that of the last look.
        level: Of intervals.
        seed: Seed of the random numbers.
        threads: Threads to use.
        progress: Callback for the progress.

    Raises:
        UsageError: If the arms show lists of different lengths, or an argument is out of range.
    """
    k = control.policy.k
    if treatment.policy.k != k:
        raise UsageError(f"the treatment shows {treatment.policy.k} items and the control {k}: expected lists alike.")
    truth = true_effect(
        world,
        treatment,
        control,
        days=days,
        retrain=retrain,
        replicates=replicates,
        level=level,
        seed=seed,
        threads=threads,
        progress=progress,
    )
    run = simulate(
        world,
        [replace(control, share=1.0), replace(treatment, share=1.0)],
        days=days,
        retrain=retrain,
        seed=seed,
        threads=threads,
        progress=progress,
    )
    ab = {
        metric: ab_difference(run, treatment.name, control.name, metric, level=level)
        for metric in ("clicks", "clicks_per_list")
    }
    progress("interleave", 0, 1)
    first, second = (first_day_lists(world, arm) for arm in (treatment, control))
    sensitivity = _interleaved(world, first, second, k, lists, methods, level, seed, looks)
    progress("interleave", 1, 1)
    found = _logged(world, first, second, k, lists, explore, limits, level, seed)
    return MethodComparison(
        truth=truth,
        list_truth=_list_truth(world, first, second, k, level),
        ab=ab,
        sensitivity=sensitivity,
        off_policy=found[0],
        off_policy_lists=found[1],
        places=k,
        names=(treatment.name, control.name),
    )


def first_day_lists(world: World, arm: Arm) -> np.ndarray:
    """The lists of a strategy that is fitted to the history, for each user on the first day, padded with -1."""
    n_users, n_items = world.users.height, world.items.height
    past = world.history
    arm.strategy.fit(Consumed(users=past[0], items=past[1], days=past[2], n_users=n_users, n_items=n_items, day=0))
    width = min(max(arm.policy.pool, 3 * arm.policy.k), n_items)
    lists = np.asarray(arm.strategy.recommend(np.arange(n_users), width), np.int32).copy()
    item = np.maximum(lists, 0)
    rows = np.arange(n_users)[:, None]
    gone = world.appeal_on(0)[item] < -1e29
    if arm.policy.leave_out:
        gone |= (world.consumed[rows, item >> 6] >> (item & 63).astype(np.uint64)) & np.uint64(1) > 0
    lists[gone] = -1
    return np.take_along_axis(lists, np.argsort(lists < 0, axis=1, kind="stable"), axis=1)


def explored_log(
    world: World, candidates: np.ndarray, policy: Policy, *, lists: int, seed: int = 0
) -> tuple[Decisions, np.ndarray]:
    """Show each user some lists that a policy draws from their candidates, and log them.

    Args:
        world: The simulated world.
        candidates: Items of each user, best first, -1 fills up; shape (users, width).
        policy: ``epsilon`` or ``softmax``.
        lists: Lists a user.
        seed: Seed of the random numbers.

    Returns:
        The log, with the marginal propensity of each item at its place; and the probability of each list down to
        there, shape (n,).
    """
    n = len(candidates)
    require_memory(
        40 * n * lists * policy.pool,
        f"logging {lists:,} lists of each of {n:,} users",
        advice=Advice("log_fewer", (Setting("lists"),), "Log fewer lists by {lists}, or take a smaller world."),
    )
    who = np.repeat(np.arange(n), lists)
    rng = np.random.default_rng(seed)
    pool = candidates[who, : policy.pool]
    noise = rng.gumbel(size=pool.shape)
    key = -np.arange(pool.shape[1], dtype=np.float64) + np.zeros(pool.shape)
    if policy.kind == "softmax":
        key = -policy.sharpness * np.log(np.arange(1.0, pool.shape[1] + 1)) + noise
    elif policy.kind == "epsilon":
        key = np.where((rng.random(len(who)) < policy.epsilon)[:, None], noise, key)
    key[pool < 0] = -np.inf
    shown = np.take_along_axis(pool, np.argsort(-key, axis=1)[:, : policy.k], axis=1)
    number = np.tile(np.arange(lists), n)
    clicked = respond(world, who, shown, requests=number, seed=seed).clicked
    there = shown >= 0
    request, place = np.nonzero(there)
    log = Decisions.of(
        shown[there],
        clicked[there],
        np.ones(len(place)),
        places=place,
        users=who[request],
        requests=request,
        n_actions=world.items.height,
    )
    marginal = Target.of_lists(log, candidates, policy, rows=who[request]).logged(log)
    log = replace(log, propensities=marginal)
    return log, prefix_chances(log, candidates, policy, rows=who[request])


def _interleaved(
    world: World,
    first: np.ndarray,
    second: np.ndarray,
    k: int,
    lists: int,
    methods: Sequence[Method],
    level: float,
    seed: int,
    looks: GroupSequential | None,
) -> Sensitivity:
    easy: list[Method] = [method for method in methods if method != "optimized"]
    found = measure_sensitivity(
        world, first, second, k=k, lists=lists, methods=easy, level=level, seed=seed, looks=looks
    )
    if "optimized" not in methods or k > 10:
        return found
    n = len(first)
    some = np.sort(np.random.default_rng(seed).permutation(n)[:_FEW])
    hard = measure_sensitivity(
        world,
        first[some],
        second[some],
        k=k,
        lists=lists,
        methods=["optimized"],
        users=some,
        level=level,
        seed=seed,
        looks=looks,
    )
    return replace(found, methods=(*found.methods, hard["optimized"]))


def _logged(
    world: World,
    first: np.ndarray,
    second: np.ndarray,
    k: int,
    lists: int,
    explore: Policy | None,
    limits: Limits | None,
    level: float,
    seed: int,
) -> tuple[OffPolicy, OffPolicy]:
    """The log of an exploring control, and the off-policy estimates of treatment against control from it."""
    candidates = _joined(second[:, :k], first[:, :k])
    policy = explore or Policy(kind="epsilon", k=k, pool=candidates.shape[1], epsilon=1.0)
    log, down = explored_log(world, candidates, policy, lists=lists, seed=seed)
    greedy, rows = Policy(k=k, pool=first.shape[1]), log.requests // lists
    targets = [Target.of_lists(log, each, greedy, rows=rows) for each in (first, second)]
    ratios = [prefix_chances(log, each, greedy, rows=rows) / down for each in (first, second)]
    by_place = evaluate_policy(log, targets[0], against=targets[1], limits=limits, level=level, rng=seed)
    pseudo: list[np.ndarray | None] = [None, None]
    if all(can_invert(policy, int(n)) for n in np.unique((candidates[:, : policy.pool] >= 0).sum(axis=1))):
        pseudo = [pseudo_inverse_weights(log, candidates, policy, each, rows=rows) for each in targets]
    by_list = evaluate_lists(
        log,
        targets[0],
        prefix_ratios=ratios[0],
        against=targets[1],
        against_ratios=ratios[1],
        pi_weights=pseudo[0],
        against_pi_weights=pseudo[1],
        limits=limits,
        level=level,
    )
    return by_place, by_list


def _joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The items of the first list, then those that only the second has; -1 fills up."""
    held = (second[:, :, None] == first[:, None, :]).any(axis=2)
    wide = np.concatenate([first, np.where(held, -1, second)], axis=1)
    return np.take_along_axis(wide, np.argsort(wide < 0, axis=1, kind="stable"), axis=1)


def _list_truth(world: World, first: np.ndarray, second: np.ndarray, k: int, level: float) -> Estimate:
    everybody = np.arange(len(first))
    gaps = np.subtract(
        *(respond(world, everybody, each[:, :k]).expected.sum(axis=1, dtype=np.float64) for each in (first, second))
    )
    return mean_estimate(gaps, level=level)
