"""The compiled loops of a day: visits, lists, choices, and updates of the state."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from reclens.kernels import kernel
from reclens.world._draws import (
    MORE,
    ORGANIC,
    REQUEST,
    TIME,
    VISIT,
    mix,
    uniform,
)
from reclens.world._lists import choose, place
from reclens.world._tastes import consume, dot, has, meet, wander

__all__ = ["KNOBS", "MOODS", "POLICY", "TRAITS", "UNBORN", "live", "weigh"]

UNBORN: Final = -1e30
"""The appeal of an item that is not there yet."""

TRAITS: Final = ("visit", "none", "examination", "norm", "arrival")
"""What stays with a user: logit of a visit, utility of choosing nothing, exponent of examination, length of the taste
vector, day of arrival."""
MOODS: Final = ("satisfaction", "last", "first")
"""What changes: satisfaction, day of the last visit, day of the first sight of a changed recommender (-1: not yet)."""
KNOBS: Final = (
    "weekday",
    "return",
    "calm",
    "memory",
    "more",
    "satiation",
    "recovery",
    "repeat",
    "drift",
    "wander",
    "novelty",
    "novelty_days",
    "primacy",
    "primacy_days",
    "organic",
)
"""Settings of the day, by place."""
POLICY: Final = ("kind", "epsilon", "sharpness", "changed", "leave_out", "k")
"""How an arm shows its lists: a kind of :func:`place` and its numbers, whether it changes what users are used to,
whether what they have consumed is left out, and the length of the lists."""


_SHOWN: Final = "Tuple((int32[:,::1], float64[:,::1], float64[:,::1]))"
_PEOPLE: Final = (
    "Tuple((uint64[::1], int8[::1], float32[:,::1], float32[:,::1], float32[:,::1], float32[:,::1], uint64[:,::1]))"
)
_CATALOGUE: Final = "Tuple((float32[:,::1], float32[::1], int32[::1], int32[::1]))"
_LOG: Final = "Tuple((int32[:,::1], float32[:,::1], float32[:,::1], int32[::1]))"


@kernel("int64(int32[::1], float32[::1], uint64[::1], boolean, int32[::1])")
def _gather(candidates: Any, appeal: Any, consumed: Any, leave_out: Any, pool: Any) -> Any:
    """The candidates that can be shown today; returns their number."""
    n = 0
    for item in candidates:
        if item >= 0 and appeal[item] > -1e29 and not (leave_out and has(consumed, item)):
            pool[n] = item
            n += 1
    return n


@kernel(
    "void(int32[::1], int64, float64, float32[::1], float32[:,::1], float32[::1], int32[::1], float32[::1], "
    "uint64[::1], float64[::1], float64[::1])"
)
def weigh(
    shown: Any,
    n: Any,
    extra: Any,
    taste: Any,
    items: Any,
    appeal: Any,
    topics: Any,
    bored: Any,
    consumed: Any,
    knobs: Any,
    weights: Any,
) -> None:
    """exp(utility) of each place: appeal + taste - boredom with the topic - what is known already + extra."""
    for at in range(n):
        item = shown[at]
        value = extra + appeal[item] + dot(taste, items[item]) - knobs[5] * bored[topics[item]]
        if has(consumed, item):
            value -= knobs[7]
        weights[at] = np.exp(value)


@kernel("boolean(float64, uint64, float64[::1], float32[::1], float32[::1], float32[::1], float32[::1])")
def _arrive(day: Any, state: Any, knobs: Any, trait: Any, mood: Any, taste: Any, bored: Any) -> Any:
    """Whether a user visits today; if so, the state is updated for the days since the last visit."""
    if day < trait[4]:
        return False
    logit = trait[0] + knobs[0] + knobs[1] * (mood[0] - knobs[2])
    if uniform(state, VISIT) * (1 + np.exp(-logit)) >= 1:
        return False
    elapsed = max(day - mood[1], 0.0)
    mood[1] = day
    kept = np.float32(2.0 ** (-elapsed / knobs[6]))
    for topic in range(len(bored)):
        bored[topic] *= kept
    if knobs[9] > 0 and elapsed > 0:
        wander(taste, knobs[9] * np.sqrt(elapsed), trait[3], state)
    return True


@kernel("float64(float32[::1], float64, float64[::1])")
def _surprise(mood: Any, day: Any, knobs: Any) -> Any:
    """Utility that all items have more, or less, because the recommender has changed; notes when they first saw it."""
    mood[2] = day if mood[2] < 0 else mood[2]
    since = day - mood[2]
    return knobs[10] * np.exp(-since / knobs[11]) - knobs[12] * np.exp(-since / knobs[13])


@kernel(f"void(int64, int64, int64, int64, int64, float64, int32[::1], int64[::1], int64, float32[::1], {_LOG})")
def _record(
    user: Any,
    n: Any,
    size: Any,
    request: Any,
    chosen: Any,
    second: Any,
    shown: Any,
    order: Any,
    among: Any,
    own: Any,
    log: Any,
) -> None:
    """Write the rows of a list from row ``n`` on, and count it."""
    rows, chances, _, _ = log
    for p in range(size):
        rows[0, n + p], rows[1, n + p], rows[2, n + p], rows[3, n + p] = user, shown[p], request * 256 + p, p == chosen
        rows[4, n + p], rows[5, n + p], rows[6, n + p] = second, order[p], among
        own[4] += chances[2, n + p]
    own[1], own[2], own[3] = own[1] + 1, own[2] + size, own[3] + (chosen >= 0)


@kernel(f"int64(int64, int64, float64, int64, uint64, int64, float64[::1], {_SHOWN}, {_PEOPLE}, {_CATALOGUE}, {_LOG})")
def live(
    first: Any,
    stop: Any,
    day: Any,
    most: Any,
    seed: Any,
    browse: Any,
    knobs: Any,
    shows: Any,
    people: Any,
    catalogue: Any,
    log: Any,
) -> Any:
    """Simulate one day of the users ``first`` to ``stop``: visits, lists, choices, and state updates.

    Args:
        first: First user.
        stop: The one after the last.
        day: Number of the day.
        most: Lists a visit has at most.
        seed: Mixed with the key of a user and the day.
        browse: Items met when a user looks without help.
        knobs: See ``KNOBS``.
        shows: What is shown: candidates of each user, best first, -1 fills up, shape (users, pool); ``POLICY`` of each
            arm, shape (arms, 6); weight of each rank, shape (arms, pool), and in the last row the logarithms of 1, 2 …
        people: The users: stable key; arm; ``TRAITS``, shape (users, 5); and what the day changes: ``MOODS``, shape
            (users, 3); tastes, shape (users, d); boredom with each topic, shape (users, topics); what was consumed, one
            bit an item, shape (users, words).
        catalogue: The items: vectors, shape (items, d); appeal of the day, shape (items,); topics; a table of 65,536
            items in proportion to exp(appeal).
        log: Output. Rows, shape (7, rows): user, item, request × 256 + place from 0, clicked, second of the day, rank
            of the item in its pool from 0, size of the pool. Chances, shape (3, rows): propensity as :func:`place`
            writes it, examined, clicked. Totals of each of these users: visits, lists, impressions, clicks, expected
            clicks. What each found without help, -1 for nothing.

    Returns:
        Number of written rows.
    """
    (lists, policies, ranks), (_, chances, totals, organic) = shows, log
    (keys, arms, traits, moods, tastes, boredom, consumed), (items, appeal, topics, table) = people, catalogue
    n, width = 0, lists.shape[1]
    pool, order, race = np.empty(width, np.int32), np.empty(width, np.int64), np.empty(width)
    shown, weights = np.empty(256, np.int32), np.empty(256)
    for user in range(first, stop):
        trait, mood, taste, bored, known = traits[user], moods[user], tastes[user], boredom[user], consumed[user]
        own, policy, rank = totals[user - first], policies[arms[user]], ranks[arms[user]]
        own[:], organic[user - first] = 0, -1
        state = mix(mix(seed, keys[user]), np.uint64(day))
        if not _arrive(day, state, knobs, trait, mood, taste, bored):
            continue
        own[0] = 1
        extra = _surprise(mood, day, knobs) if policy[3] > 0 else 0.0
        kind, longest, none = int(policy[0]), int(policy[5]), np.exp(trait[1])
        for request in range(most):
            now = mix(state, REQUEST + np.uint64(request))
            among = _gather(lists[user], appeal, known, policy[4] > 0, pool)
            size = place(pool, among, kind, policy[1], rank, now, order, race, shown[:longest], chances[0, n:])
            weigh(shown, size, extra, taste, items, appeal, topics, bored, known, knobs, weights)
            at = choose(shown, weights, size, none, trait[2], ranks[-1], now, chances[1, n:], chances[2, n:])
            # A minute a list; where there may be so many that they pass midnight, the visit begins earlier.
            second = min(86000, 86400 - 60 * most) * uniform(state, TIME) + 60 * request
            _record(user, n, size, request, at, second, shown, order, among, own, log)
            if at >= 0:
                consume(shown[at], taste, items, trait[3], topics, bored, known, knobs[8])
            mood[0] = knobs[3] * mood[0] + (1 - knobs[3]) * (at >= 0)
            n += size
            if uniform(now, MORE) >= knobs[4]:
                break
        if uniform(state, ORGANIC) < knobs[14]:
            item = meet(table, browse, items, taste, known, knobs[7], state)
            organic[user - first] = item
            if item >= 0:
                consume(item, taste, items, trait[3], topics, bored, known, knobs[8])
    return n
