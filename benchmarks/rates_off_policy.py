"""Coverage of off-policy intervals and false verdicts, over logs whose truth is known.

    python benchmarks/rates_off_policy.py --seeds 1000:3000

Policies and rates are drawn anew in every log. A log whose weights are refused anyway (effective sample below 200,
or over 10 % of all weight on one decision) is drawn again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from rates import Cell, main

from reclens.experiment.off_policy import Decisions, Target, evaluate_policy, personal_rates
from reclens.experiment.off_policy.intervals import Method
from reclens.experiment.off_policy.weights import weigh

Drawn = tuple[Decisions, np.ndarray, np.ndarray, float, float]
"""The log, the target, the logging policy, the value of the target, and its difference from the logging policy."""


def _shown(rng: np.random.Generator, chances: np.ndarray) -> np.ndarray:
    return (rng.random((len(chances), 1)) > chances.cumsum(axis=1)).sum(axis=1).clip(max=chances.shape[1] - 1)


def items(rng: np.random.Generator, rate: float, spread: float, n: int, actions: int) -> Drawn:
    """Items with rates of their own, which are lognormal; two and two are in one category and are worth the same."""
    logging, target = rng.dirichlet(np.full(actions, 2.0)), rng.dirichlet(np.ones(actions))
    rates = np.repeat(rng.lognormal(0, spread, actions // 2), 2)
    rates = np.minimum(rate * rates / (logging @ rates), 1)
    action = _shown(rng, np.broadcast_to(logging, (n, actions)))
    log = Decisions.of(action, rng.random(n) < rates[action], logging[action], n_actions=actions)
    return log, target, logging, float(target @ rates), float((target - logging) @ rates)


def kinds(rng: np.random.Generator, rate: float, best: bool, n: int, revenue: bool = False) -> Drawn:
    """Four kinds of users; the target shows each kind what it likes most, or least. No model knows the kinds."""
    logging, rates = rng.dirichlet(np.full(5, 2.0), 4), rng.lognormal(0, 1.5, (4, 5))
    rates = np.minimum(rate * rates / (logging * rates).sum(axis=1).mean(), 1)
    target = np.full((4, 5), 0.025)
    target[np.arange(4), rates.argmax(axis=1) if best else rates.argmin(axis=1)] = 0.9
    kind = rng.integers(4, size=n)
    action = _shown(rng, logging[kind])
    reward = (rng.random(n) < rates[kind, action]) * (rng.lognormal(-0.5, 1, n) if revenue else 1.0)
    log = Decisions.of(action, reward, logging[kind, action], n_actions=5)
    value, base = ((each * rates).sum(axis=1).mean() for each in (target, logging))
    return log, target[kind], logging[kind], float(value), float(value - base)


def users(rng: np.random.Generator, rate: float, how_many: int, activity: float, n: int) -> Drawn:
    """Few users with tastes of their own and unequal activity; over users, all items are worth the same."""
    logging, target = rng.dirichlet(np.full(4, 2.0)), rng.dirichlet(np.ones(4))
    size = rng.lognormal(0, activity, how_many)
    user, action = rng.choice(how_many, n, p=size / size.sum()), _shown(rng, np.broadcast_to(logging, (n, 4)))
    rates = np.minimum(rate * rng.lognormal(-0.5, 1, (how_many, 4)), 1)
    log = Decisions.of(action, rng.random(n) < rates[user, action], logging[action], users=user, n_actions=4)
    return log, target, logging, rate, 0.0


def one(
    seed: int,
    *,
    draw: Callable[[np.random.Generator], Drawn],
    method: Method,
    categories: bool = False,
    personal: bool = False,
) -> Mapping[str, float]:
    """Misses on either side of each estimator's intervals, and verdicts on the wrong side of the truth."""
    rng = np.random.default_rng(seed)
    while True:
        log, target, logging, value, difference = draw(rng)
        weights = weigh(log, Target.of_probabilities(log, target))
        if weights.effective >= 200 and weights.largest_share <= 0.1:
            break
    given = {}
    if categories:
        given = {"categories": np.arange(log.n_actions) // 2, "logging": Target.of_probabilities(log, logging)}
    model = personal_rates(log, rng.normal(size=(len(log), 2))) if personal else None
    found = evaluate_policy(log, target, method=method, predictions=model, **given)
    outcomes: dict[str, float] = {}
    for each in found.values:
        for what, estimate, truth in (("value", each.value, value), ("difference", each.difference, difference)):
            if estimate.low is not None and estimate.high is not None:
                outcomes[f"{each.estimator} {what} held"] = float(estimate.low <= truth <= estimate.high)
                outcomes[f"{each.estimator} {what} too high"] = float(estimate.low > truth)
        right = "higher" if difference > 0 else "lower" if difference < 0 else "undecided"
        if each.estimator in ("snips", "dr", "mips"):
            outcomes[f"{each.estimator} wrong verdict"] = float(each.says not in (right, "undecided", "none"))
            outcomes[f"{each.estimator} no verdict"] = float(each.says == "none")
    outcomes["users refused"] = float(found.weights.units < 10)
    return outcomes


PROMISED = {f"{name} {what} held": 0.95 for name in ("ips", "snips", "dr", "mips") for what in ("value", "difference")}
N = 5_000
LOGS: dict[str, tuple[Callable[[np.random.Generator], Drawn], dict[str, bool]]] = {
    **{
        f"items alike, {clicks} clicks": (
            partial(items, rate=clicks / N, spread=0.0, n=N, actions=4),
            {"categories": True},
        )
        for clicks in (5, 10, 20, 40, 100, 400)
    },
    **{
        f"items differ, {clicks} clicks": (
            partial(items, rate=clicks / N, spread=0.7, n=N, actions=4),
            {"categories": True},
        )
        for clicks in (20, 100, 400)
    },
    "20 items differ, 100 clicks": (partial(items, rate=100 / N, spread=1.0, n=N, actions=20), {"categories": True}),
    "items differ, 100 clicks, personal model": (
        partial(items, rate=100 / N, spread=0.7, n=N, actions=4),
        {"personal": True},
    ),
    **{
        f"target shows each kind the {side}, {clicks} clicks": (
            partial(kinds, rate=clicks / N, best=side == "best", n=N),
            {},
        )
        for side in ("best", "worst")
        for clicks in (20, 100, 400)
    },
    "revenue, 100 buyers": (partial(kinds, rate=100 / N, best=True, n=N, revenue=True), {}),
    **{
        f"{how_many} users, activity sd {activity}": (
            partial(users, rate=0.1, how_many=how_many, activity=activity, n=N),
            {},
        )
        for how_many, activity in ((4, 0.0), (4, 1.0), (8, 1.0), (12, 1.0), (30, 1.5), (100, 1.5))
    },
}
CELLS = [
    Cell(f"{name}, {method}", partial(one, draw=draw, method=method, **options), PROMISED)
    for name, (draw, options) in LOGS.items()
    for method in (("hall", "normal") if "alike" in name or "users" in name else ("hall",))
]

if __name__ == "__main__":
    main("off_policy", CELLS, about="Off-policy intervals and verdicts over logs of 5,000 decisions.")
