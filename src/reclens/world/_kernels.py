"""The compiled loops of the world: place a list, look and choose, live a day.

Numbers of draws under the state of a request: see the constants. Draws about an item are numbered by the item, so that
an item meets the same luck in whatever list it stands.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from reclens.kernels import kernel
from reclens.world._draws import mix, uniform

__all__ = [
    "GREEDY",
    "KNOBS",
    "MOODS",
    "POLICY",
    "SOFTMAX",
    "TRAITS",
    "UNBORN",
    "UNIFORM",
    "choose",
    "has",
    "live",
    "meet",
    "place",
    "remember",
]

GREEDY: Final = 0
UNIFORM: Final = 1
SOFTMAX: Final = 2

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
whether what she has consumed is left out, and the length of the lists."""

_VISIT: Final = np.uint64(0)
_REQUEST: Final = np.uint64(1 << 8)
_MORE: Final = np.uint64(2)
_DEPTH: Final = np.uint64(3)
_EXPLORE: Final = np.uint64(4)
_NOTHING: Final = np.uint64(5)
_ORGANIC: Final = np.uint64(6)
_TIME: Final = np.uint64(7)
_WANDER: Final = np.uint64(1 << 12)
_ORDER: Final = np.uint64(1 << 32)
_CHOICE: Final = np.uint64(1 << 33)
_MEET: Final = np.uint64(1 << 34)
_TAU: Final = 6.283185307179586


@kernel(
    "int64(int32[::1], int64, int64, float64, float64[::1], uint64, int64[::1], float64[::1], int32[::1], float32[::1])"
)
def place(
    pool: Any,
    n: Any,
    kind: Any,
    epsilon: Any,
    weights: Any,
    state: Any,
    order: Any,
    race: Any,
    shown: Any,
    propensity: Any,
) -> Any:
    """Fill a list from a pool that is sorted best first, and say with what probability each place got its item.

    ``GREEDY`` shows the first ones. ``UNIFORM`` does so too, but with probability ``epsilon`` draws the whole list from
    the pool in random order; the propensity is that of the item at its place: (1 - ε) [the greedy item] + ε / n.
    ``SOFTMAX`` draws place by place without replacement with a weight for each rank (Plackett-Luce, by the exponential
    race: Efraimidis and Spirakis 2006); the propensity is conditional on the places above, so that the product is the
    probability of the list.

    Args:
        pool: Item codes, best first.
        n: How many of them count.
        kind: One of the three.
        epsilon: Share of lists that explore.
        weights: Of each rank, for ``SOFTMAX``.
        state: Of the request.
        order: Room for places in the pool.
        race: Room for arrival times.
        shown: The list, written here.
        propensity: Of each place, written here.

    Returns:
        The length of the list.
    """
    size = min(n, len(shown))
    random = kind == SOFTMAX or (kind == UNIFORM and uniform(state, _EXPLORE) < epsilon)
    for at in range(n):
        order[at] = at
        if random:
            race[at] = -np.log(uniform(state, _ORDER + np.uint64(pool[at])))
            if kind == SOFTMAX:
                race[at] /= weights[at]
    left = 0.0
    if kind == SOFTMAX:
        for at in range(n):
            left += weights[at]
    for position in range(size):
        if random:
            best = position
            for at in range(position + 1, n):
                if race[order[at]] < race[order[best]]:
                    best = at
            order[position], order[best] = order[best], order[position]
        at = order[position]
        shown[position] = pool[at]
        if kind == SOFTMAX:
            propensity[position] = weights[at] / left
            left = max(left - weights[at], 1e-300)
        elif kind == UNIFORM:
            propensity[position] = epsilon / n + (1 - epsilon) * (at == position)
        else:
            propensity[position] = 1.0
    return size


@kernel("int64(int32[::1], float64[::1], int64, float64, float64, float64[::1], uint64, float32[::1], float32[::1])")
def choose(
    shown: Any, weights: Any, n: Any, none: Any, exponent: Any, logs: Any, state: Any, examined: Any, clicked: Any
) -> Any:
    """Look at a list down to some place, and choose at most one of what was seen.

    Place p is looked at with probability p^-exponent (she goes down the list and stops somewhere); among the places
    1 … D that were seen item j is chosen with probability w_j / (w_0 + w_1 + … + w_D): multinomial logit with nothing
    as an option (McFadden 1974).

    Args:
        shown: Item codes.
        weights: exp(utility) of each place.
        n: Length of the list.
        none: exp(utility) of choosing nothing, w_0.
        exponent: How fast examination falls.
        logs: Logarithms of the places, log 1, log 2 …
        state: Of the request.
        examined: Probability that each place is seen, written here.
        clicked: Probability that each place is chosen, over what is seen and what is chosen; written here.

    Returns:
        The place that was chosen, from 0; -1 for nothing.
    """
    luck = uniform(state, _DEPTH)
    best, place = -np.log(uniform(state, _NOTHING)) / none, -1
    total = none
    for at in range(n):
        seen = np.exp(-exponent * logs[at])
        examined[at] = seen
        total += weights[at]
        clicked[at] = 1.0 / total
        if luck < seen:
            arrival = -np.log(uniform(state, _CHOICE + np.uint64(shown[at]))) / weights[at]
            if arrival < best:
                best, place = arrival, at
    tail, below = 0.0, 0.0
    for at in range(n - 1, -1, -1):
        tail += (examined[at] - below) * clicked[at]
        below = examined[at]
        clicked[at] = weights[at] * tail
    return place


@kernel("float32(float32[::1], float32[::1])", fast=True)
def _dot(taste: Any, item: Any) -> Any:
    dot = np.float32(0)
    for f in range(len(taste)):
        dot += taste[f] * item[f]
    return dot


@kernel("boolean(uint64[::1], int64)")
def has(consumed: Any, item: Any) -> Any:
    """Whether the bit of an item is set."""
    return (consumed[item >> 6] >> np.uint64(item & 63)) & np.uint64(1) != np.uint64(0)


@kernel("void(float32[::1], float32[::1], float64, float64)")
def _towards(taste: Any, item: Any, share: Any, norm: Any) -> None:
    """Move a taste towards an item, and bring it back to its length."""
    length, square = 0.0, 0.0
    for f in range(len(taste)):
        length += item[f] * item[f]
    pull = share * norm / max(np.sqrt(length), 1e-9)
    for f in range(len(taste)):
        taste[f] = (1 - share) * taste[f] + pull * item[f]
        square += taste[f] * taste[f]
    scale = norm / max(np.sqrt(square), 1e-9)
    for f in range(len(taste)):
        taste[f] *= scale


@kernel("void(float32[::1], float64, float64, uint64)")
def _wander(taste: Any, step: Any, norm: Any, state: Any) -> None:
    """Move a taste at random by a share of its length, and bring it back to it (Box-Muller, two normals a pair)."""
    d, square = len(taste), 0.0
    size = step * norm / np.sqrt(d)
    for f in range(0, d, 2):
        radius = size * np.sqrt(-2.0 * np.log(uniform(state, _WANDER + np.uint64(f))))
        angle = _TAU * uniform(state, _WANDER + np.uint64(f + 1))
        taste[f] += radius * np.cos(angle)
        if f + 1 < d:
            taste[f + 1] += radius * np.sin(angle)
    for f in range(d):
        square += taste[f] * taste[f]
    scale = norm / max(np.sqrt(square), 1e-9)
    for f in range(d):
        taste[f] *= scale


@kernel("int64(int32[::1], int64, float32[:,::1], float32[::1], uint64[::1], float64, uint64)")
def meet(table: Any, browse: Any, items: Any, taste: Any, consumed: Any, repeat: Any, state: Any) -> Any:
    """What a user finds by herself among some items that she meets by their appeal, by taste; -1 if there are none."""
    best, found = np.inf, -1
    for at in range(browse):
        item = table[mix(state, _MEET + np.uint64(at)) >> np.uint64(48)]
        if item >= 0:
            value = _dot(taste, items[item]) - (repeat if has(consumed, item) else 0.0)
            arrival = -np.log(uniform(state, _MEET + np.uint64(browse + at))) * np.exp(-value)
            if arrival < best:
                best, found = arrival, item
    return found


@kernel("int64(int32[::1], float32[::1], uint64[::1], boolean, int32[::1])")
def _gather(candidates: Any, appeal: Any, consumed: Any, leave_out: Any, pool: Any) -> Any:
    """The candidates that can be shown today; returns how many."""
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
def _weigh(
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
        value = extra + appeal[item] + _dot(taste, items[item]) - knobs[5] * bored[topics[item]]
        if has(consumed, item):
            value -= knobs[7]
        weights[at] = np.exp(value)


@kernel("void(int64, float32[::1], float32[:,::1], float64, int32[::1], float32[::1], uint64[::1], float64)")
def _consume(item: Any, taste: Any, items: Any, norm: Any, topics: Any, bored: Any, consumed: Any, drift: Any) -> None:
    """What consuming an item does: it is known, its topic tires, and the taste moves towards it."""
    consumed[item >> 6] |= np.uint64(1) << np.uint64(item & 63)
    bored[topics[item]] += np.float32(1)
    if drift > 0:
        _towards(taste, items[item], drift, norm)


@kernel("boolean(float64, uint64, float64[::1], float32[::1], float32[::1], float32[::1], float32[::1])")
def _arrive(day: Any, state: Any, knobs: Any, trait: Any, mood: Any, taste: Any, bored: Any) -> Any:
    """Whether a user visits today; if so, what happened to her since the last time is made up for."""
    if day < trait[4]:
        return False
    logit = trait[0] + knobs[0] + knobs[1] * (mood[0] - knobs[2])
    if uniform(state, _VISIT) * (1 + np.exp(-logit)) >= 1:
        return False
    elapsed = max(day - mood[1], 0.0)
    mood[1] = day
    kept = np.float32(2.0 ** (-elapsed / knobs[6]))
    for topic in range(len(bored)):
        bored[topic] *= kept
    if knobs[9] > 0 and elapsed > 0:
        _wander(taste, knobs[9] * np.sqrt(elapsed), trait[3], state)
    return True


@kernel(
    "int64(int64, int64, float64, int64, uint64, uint64[::1], int8[::1], int32[:,::1], float64[:,::1], float64[::1], "
    "float64[:,::1], float32[:,::1], float32[:,::1], float32[:,::1], float32[:,::1], uint64[:,::1], float32[:,::1], "
    "float32[::1], int32[::1], int32[::1], int64, int32[:,::1], float32[:,::1], float32[:,::1], int32[::1])"
)
def live(
    first: Any,
    stop: Any,
    day: Any,
    most: Any,
    seed: Any,
    keys: Any,
    arms: Any,
    lists: Any,
    policies: Any,
    knobs: Any,
    ranks: Any,
    traits: Any,
    moods: Any,
    tastes: Any,
    boredom: Any,
    consumed: Any,
    items: Any,
    appeal: Any,
    topics: Any,
    table: Any,
    browse: Any,
    rows: Any,
    chances: Any,
    totals: Any,
    organic: Any,
) -> Any:
    """Let the users ``first`` to ``stop`` live one day: visit or not, see lists, choose, and change by it.

    Args:
        first: First user.
        stop: The one after the last.
        day: Number of the day.
        most: Lists a visit has at most.
        seed: Mixed with the key of a user and the day.
        keys: Stable key of each user.
        arms: Arm of each user.
        lists: Candidates of each user, best first, -1 fills up; shape (users, pool).
        policies: See ``POLICY``; shape (arms, 6).
        knobs: See ``KNOBS``.
        ranks: Weight of each rank, shape (arms, pool), and in the last row the logarithms of 1, 2 …
        traits: See ``TRAITS``; shape (users, 5).
        moods: See ``MOODS``; shape (users, 3); changed.
        tastes: Shape (users, d); changed.
        boredom: Of each topic, shape (users, topics); changed.
        consumed: One bit an item, shape (users, words); changed.
        items: Shape (items, d).
        appeal: Of the day, shape (items,).
        topics: Topic of each item.
        table: Items in proportion to exp(appeal), 65,536 of them.
        browse: Items met when she looks for herself.
        rows: User, item, request × 256 + place from 0, clicked, second of the day, rank of the item in its pool from 0,
            size of the pool; written, shape (7, rows).
        chances: Propensity as :func:`place` writes it, examined, clicked; written, shape (3, rows).
        totals: Visits, lists, impressions, clicks, expected clicks of each of these users; written.
        organic: What each of these users found by herself, -1 for nothing; written.

    Returns:
        How many rows were written.
    """
    n, width = 0, lists.shape[1]
    pool, order, race = np.empty(width, np.int32), np.empty(width, np.int64), np.empty(width)
    shown, weights = np.empty(256, np.int32), np.empty(256)
    for user in range(first, stop):
        trait, mood, taste, bored, known = traits[user], moods[user], tastes[user], boredom[user], consumed[user]
        own, policy = totals[user - first], policies[arms[user]]
        own[:], organic[user - first] = 0, -1
        state = mix(mix(seed, keys[user]), np.uint64(day))
        if not _arrive(day, state, knobs, trait, mood, taste, bored):
            continue
        extra = 0.0
        if policy[3] > 0:
            mood[2] = day if mood[2] < 0 else mood[2]
            since = day - mood[2]
            extra = knobs[10] * np.exp(-since / knobs[11]) - knobs[12] * np.exp(-since / knobs[13])
        own[0] = 1
        for request in range(most):
            now = mix(state, _REQUEST + np.uint64(request))
            among = _gather(lists[user], appeal, known, policy[4] > 0, pool)
            size = place(
                pool,
                among,
                int(policy[0]),
                policy[1],
                ranks[arms[user]],
                now,
                order,
                race,
                shown[: int(policy[5])],
                chances[0, n:],
            )
            _weigh(shown, size, extra, taste, items, appeal, topics, bored, known, knobs, weights)
            at = choose(
                shown, weights, size, np.exp(trait[1]), trait[2], ranks[-1], now, chances[1, n:], chances[2, n:]
            )
            # A minute a list; where there may be so many that they pass midnight, the visit begins earlier.
            second = min(86000, 86400 - 60 * most) * uniform(state, _TIME) + 60 * request
            for p in range(size):
                rows[0, n + p], rows[1, n + p], rows[2, n + p], rows[3, n + p] = user, shown[p], request * 256 + p, 0
                rows[4, n + p], rows[5, n + p], rows[6, n + p] = second, order[p], among
                own[4] += chances[2, n + p]
            own[1], own[2] = own[1] + 1, own[2] + size
            if at >= 0:
                own[3], rows[3, n + at] = own[3] + 1, 1
                _consume(shown[at], taste, items, trait[3], topics, bored, known, knobs[8])
            mood[0] = knobs[3] * mood[0] + (1 - knobs[3]) * (at >= 0)
            n += size
            if uniform(now, _MORE) >= knobs[4]:
                break
        if uniform(state, _ORGANIC) < knobs[14]:
            item = meet(table, browse, items, taste, known, knobs[7], state)
            organic[user - first] = item
            if item >= 0:
                _consume(item, taste, items, trait[3], topics, bored, known, knobs[8])
    return n


@kernel(
    "void(int64, int64, uint64, uint64[::1], int64[::1], int32[::1], int64, float32[:,::1], float32[:,::1], "
    "uint64[:,::1], int32[::1])"
)
def remember(
    first: Any,
    stop: Any,
    seed: Any,
    keys: Any,
    ends: Any,
    table: Any,
    browse: Any,
    items: Any,
    tastes: Any,
    consumed: Any,
    found: Any,
) -> None:
    """What users found by themselves before the world begins, one thing after the other, nothing twice.

    Args:
        first: First user.
        stop: The one after the last.
        seed: Mixed with the key of a user.
        keys: Stable key of each user.
        ends: Where the rows of each user begin and end, shape (users + 1,).
        table: Items in proportion to exp(appeal), 65,536 of them.
        browse: Items met each time.
        items: Shape (items, d).
        tastes: Shape (users, d).
        consumed: One bit an item, shape (users, words); changed.
        found: Item of each row, -1 where she found nothing new; written.
    """
    for user in range(first, stop):
        state = mix(seed, keys[user])
        for row in range(ends[user], ends[user + 1]):
            now = mix(state, np.uint64(row - ends[user]))
            item = meet(table, browse, items, tastes[user], consumed[user], 1e4, now)
            if item >= 0 and has(consumed[user], item):
                item = -1
            if item >= 0:
                consumed[user, item >> 6] |= np.uint64(1) << np.uint64(item & 63)
            found[row] = item
