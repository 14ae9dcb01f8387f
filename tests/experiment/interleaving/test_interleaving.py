"""Interleaving: lists by hand, credit by the published cases, no preference where there is none, and users needed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reclens.errors import UnknownNameError, UsageError
from reclens.experiment.interleaving import METHODS, Interleaved, credit, interleave, preference, team_credit
from reclens.experiment.interleaving.optimized import mixture
from reclens.experiment.interleaving.preference import LEAST_CREDITED, Preference, preference_of, score_estimate
from reclens.lab.interleaving import measure_sensitivity, units_needed
from reclens.stats.sequential import group_sequential

N = 20_000


def repeated(*rankings: list[int], n: int = N) -> list[np.ndarray]:
    return [np.tile(np.array(ranking), (n, 1)) for ranking in rankings]


def kinds(made: Interleaved) -> dict[tuple[int, ...], float]:
    found = Counter(map(tuple, made.lists.tolist()))
    return {one: count / len(made) for one, count in found.items()}


# -------------------------------------------------------------------------------------------------------- by hand


def test_team_draft_by_hand() -> None:
    made = interleave(*repeated([1, 2], [2, 3]), k=2)
    assert kinds(made) == {(1, 2): pytest.approx(0.5, abs=0.02), (2, 1): pytest.approx(0.5, abs=0.02)}
    first = (made.lists[:, 0] == 1)[:, None]
    np.testing.assert_array_equal(made.team, np.where(first, [0, 1], [1, 0]))
    longer = interleave(*repeated([1, 2, 3], [1, 4, 5]), k=3)
    # Whoever begins takes 1; the other one takes its next; then a coin again.
    assert set(kinds(longer)) == {(1, 4, 2), (1, 4, 5), (1, 2, 4), (1, 2, 3)}
    assert all(share == pytest.approx(0.25, abs=0.02) for share in kinds(longer).values())


def test_balanced_by_hand() -> None:
    made = interleave(*repeated([1, 2, 3], [2, 3, 1]), k=3, method="balanced")
    assert kinds(made) == {(1, 2, 3): pytest.approx(0.5, abs=0.02), (2, 1, 3): pytest.approx(0.5, abs=0.02)}
    # A click on 3: the second ranker has it within 2, and the first has only 1 and 2 there.
    clicked = np.tile([False, False, True], (N, 1))
    assert (credit(made, clicked) == -1).all()
    # A click on the second place. 2 stands there: it is the second's first, and the first has 1 in its place. 1 stands
    # there: it is the first's first, and the second has 2 in its place.
    second = np.tile([False, True, False], (N, 1))
    np.testing.assert_array_equal(credit(made, second), np.where(made.lists[:, 1] == 2, -1, 1))


def test_probabilistic_by_hand() -> None:
    made = interleave(*repeated([1, 2], [2, 1]), k=2, method="probabilistic", softness=1.0)
    # Rank weights 1 and 1/2: chances 2/3 and 1/3 in one, the reverse in the other, so a half each.
    assert kinds(made) == {(1, 2): pytest.approx(0.5, abs=0.02), (2, 1): pytest.approx(0.5, abs=0.02)}
    np.testing.assert_allclose(made.credit[:, 0], np.where(made.lists[:, 0] == 1, 1 / 3, -1 / 3))
    np.testing.assert_allclose(made.credit[:, 1], 0, atol=1e-12)


def test_optimised_by_hand() -> None:
    lists, chances, given = mixture((1, 2), (2, 1), 2)
    assert dict(zip(map(tuple, lists.tolist()), chances, strict=True)) == {
        (1, 2): pytest.approx(0.5),
        (2, 1): pytest.approx(0.5),
    }
    np.testing.assert_allclose(given[lists == 1], 0.5)
    np.testing.assert_allclose(given[lists == 2], -0.5)


# ----------------------------------------------------------------------------------------------------- published cases


def test_the_published_cases(cases) -> None:
    case = cases["tdi_credit"]["inputs"]
    team = np.array([[0 if item in case["teams"]["A"] else 1 for item in case["ranking"]]])
    clicked = np.isin(np.arange(4), case["clicked_positions"])[None]
    assert team_credit(team, clicked).tolist() == [cases["tdi_credit"]["expected"]]
    made = Interleaved(
        method="team_draft",
        lists=np.array([case["ranking"]]),
        credit=1.0 - 2 * team,
        ranks=np.zeros((2, 1, 4), int),
        team=team,
    )
    assert credit(made, clicked).tolist() == [-2.0]


def voted(scores: np.ndarray, method: str = "team_draft") -> Preference:
    """The preference of units whose credit is given."""
    made = Interleaved(
        method=method,
        lists=np.ones((len(scores), 1), int),
        credit=scores[:, None],
        ranks=np.zeros((2, 1, 1)),
        team=scores,
    )
    return preference(made, np.ones((len(scores), 1), bool))


def test_the_share_of_wins_is_exact() -> None:
    from scipy.stats import binomtest

    for wins, losses in ((60, 40), (3, 0), (0, 3), (7, 7), (512, 400)):
        said = voted(np.r_[np.ones(wins), -np.ones(losses), np.zeros(5)])
        exact = binomtest(wins, wins + losses).proportion_ci(0.95, method="exact")
        assert (said.wins, said.losses, said.ties) == (wins, losses, 5)
        assert (said.share.low, said.share.high) == pytest.approx((exact.low, exact.high), abs=1e-9)
        assert said.margin == pytest.approx((wins - losses) / (wins + losses + 5))


# ------------------------------------------------------------------------------------------------------- the test


def test_the_verdict_is_the_mean_credit_and_not_wins_against_losses() -> None:
    # Sixty units say a little for the first, forty say more for the second: 60 × 0.1 < 40 × 0.9.
    scores = np.r_[np.full(60, 0.1), np.full(40, -0.9)]
    said = voted(scores)
    assert (said.wins, said.losses) == (60, 40) and said.verdict == "second"
    even = voted(np.r_[np.full(90, 0.1), np.full(10, -0.9)])
    assert even.wins == 90 and even.score.value == pytest.approx(0) and even.verdict == "undecided"
    assert even.p_value == pytest.approx(1)


@given(st.lists(st.sampled_from([-2.0, -1.0, -0.25, 0.0, 0.0, 0.5, 1.0]), min_size=3, max_size=60))
@settings(max_examples=60, deadline=None)
def test_the_interval_holds_zero_where_the_test_does_not_reject(scores) -> None:
    x = np.array(scores)
    found, p = score_estimate(x)
    m = np.count_nonzero(x)
    if m >= 2:  # by SciPy's t: a statistic about the tested mean, u, is t = u √((n - 1) / (n - u²))
        u = abs(x.sum()) / np.sqrt((x**2).sum())
        assert p == pytest.approx(2 * stats.t.sf(u, m - 1), abs=1e-12)
        if m == len(x) > 2 and u**2 < m - 1e-9:
            t = stats.ttest_1samp(x, 0).statistic
            assert u == pytest.approx(abs(t) / np.sqrt((m - 1 + t**2) / m), abs=1e-9)
    if found.low is not None:
        assert (found.low > 0 or found.high < 0) == (p < 0.05)
        for end in (found.low, found.high):  # the ends are means that are just rejected
            y = x - end
            assert abs(y.sum()) / np.sqrt((y**2).sum()) == pytest.approx(stats.t.ppf(0.975, m - 1), rel=1e-6)


def test_few_units_with_credit_decide_nothing() -> None:
    # Five of a hundred clicked, all for the first: the exact sign test says 1/16, and a t test over the hundred .025.
    few = voted(np.r_[np.ones(5), np.zeros(95)])
    assert stats.ttest_1samp(np.r_[np.ones(5), np.zeros(95)], 0).pvalue < 0.05
    assert few.verdict == "undecided" and few.p_value > 1 / 16
    assert voted(np.r_[np.ones(9), np.zeros(91)]).verdict == "first"
    alone = voted(np.r_[1.0, np.zeros(20)])
    assert alone.p_value == 1 and alone.score.low is None and alone.score.note == "no_spread"
    # Where one method's credits may be skewed it waits for 50 of them.
    for method, count, verdict in (
        ("optimized", 49, "undecided"),
        ("optimized", 50, "first"),
        ("probabilistic", 49, "undecided"),
        ("team_draft", 49, "first"),
    ):
        said = voted(np.r_[np.full(count, 0.2), np.zeros(500)], method)
        assert said.verdict == verdict and said.enough == (verdict == "first"), method


def test_planned_looks_have_their_bounds() -> None:
    plan = group_sequential(4, spending="pocock")
    scores = np.r_[np.ones(100), -np.ones(72), np.zeros(800)]  # 28 ÷ √172 = 2.13
    made = Interleaved(
        method="team_draft",
        lists=np.ones((972, 1), int),
        credit=scores[:, None],
        ranks=np.zeros((2, 972, 1), int),
        team=scores,
    )
    clicked = np.ones((972, 1), bool)
    early, whole = preference(made, clicked, looks=plan, look=1), preference(made, clicked)
    # The classical Pocock bound of four looks is 2.361 (Jennison and Turnbull 2000, table 2.1): p below 0.01823.
    assert early.alpha == pytest.approx(2 * stats.norm.sf(2.361), rel=2e-3)
    assert 0.0183 < early.p_value < 0.05 and early.p_value == whole.p_value
    assert early.verdict == "undecided" and whole.verdict == "first" and early.level == whole.level == 0.95
    assert early.score.low < 0 < whole.score.low
    for wrong, says in (
        ({"looks": plan, "look": 5}, "expected 1 … 4"),
        ({"look": 1}, "no looks are planned"),
        ({"looks": plan, "level": 0.9}, "alpha 0.05"),
    ):
        with pytest.raises(UsageError, match=says):
            preference(made, clicked, **wrong)


# --------------------------------------------------------------------------------------------------- no preference


SAME, ROTATED = list(range(8)), [*range(1, 8), 0]
FAIR = {
    "identical": (SAME, SAME, [0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.1, 0.1]),
    "random clicks": (SAME, ROTATED, [0.4] * 8),
    "equal relevance in other order": (SAME, [1, 0, 3, 2, 5, 4, 6, 7], [0.5, 0.5, 0.3, 0.3, 0.1, 0.1, 0.05, 0.05]),
    "other length": ([0, 1, 2], [3, 0, 4, 1, 5, 6, 2, 7], [0.4] * 8),
}
"""Rankings and the relevance of items, where neither ranker is better."""


@pytest.mark.parametrize("method", ["team_draft", "probabilistic", "optimized"])
@pytest.mark.parametrize("name", list(FAIR))
def test_nobody_is_preferred_where_nobody_is_better(method, name, rate_error) -> None:
    first, second, relevance = FAIR[name]
    runs, n = 400, 250
    made = interleave(*repeated(first, second, n=runs * n), k=5, method=method, rng=5)
    chance = np.array([*relevance, 0.0])[made.lists] * np.arange(1.0, 6) ** -0.5
    clicked = np.random.default_rng(6).random(made.lists.shape) < chance
    scores = credit(made, clicked).reshape(runs, n)
    decided = [preference_of(method, each, 0.95).verdict != "undecided" for each in scores]
    if name == "identical" and method != "team_draft":
        assert not any(decided) and not scores.any()
    else:
        assert np.mean(decided) == pytest.approx(0.05, abs=rate_error(0.05, runs))
    # And the mean credit of a place is zero, over all runs.
    place = (made.credit * clicked).cumsum(axis=1)
    assert (np.abs(place.mean(axis=0)) < 4 * place.std(axis=0) / np.sqrt(runs * n) + 1e-12).all()


def test_what_one_ranker_alone_can_fill_gives_no_credit() -> None:
    # The first has one item. Whoever begins, the first two places are a whole round; then only the second is left.
    team = interleave(*repeated([1], [2, 3, 4], n=200), k=4)
    assert (np.abs(team.credit[:, :2]) == 1).all() and (team.credit[:, 2:] == 0).all()
    assert (team.team[:, 2:] == 1).all(), "who put it there is said all the same"
    # Its one item is also the best of the other: if the other begins, the first has nothing to answer with.
    assert (interleave(*repeated([1], [1, 2, 3], n=200), k=3).credit == 0).all()
    # In the last place nobody has to answer, so that a coin decides about it.
    assert (np.abs(interleave(*repeated([1], [1, 2, 3], n=200), k=1).credit) == 1).all()
    drawn = interleave(*repeated([1], [2, 3, 4], n=200), k=4, method="probabilistic")
    later = (drawn.lists == 1).argmax(axis=1)[:, None] < np.arange(4)
    assert (drawn.credit[later] == 0).all() and (drawn.credit[:, 0] != 0).all()
    best = interleave(*repeated([1, 5], [2, 3, 4], n=200), k=4, method="optimized")
    assert (best.credit[:, 2:] == 0).all() and (best.credit[:, :2] != 0).all() and (best.lists >= 0).all()


def test_what_balanced_gets_wrong_is_known() -> None:
    # Radlinski, Kurup, Joachims (2008), section 3.2: of (a, b, c) and (b, c, a), a click anywhere prefers the second.
    made = interleave(*repeated([1, 2, 3], [2, 3, 1]), k=3, method="balanced")
    at = np.random.default_rng(9).integers(3, size=(N, 1))
    said = preference(made, np.arange(3) == at)
    assert said.margin < -0.2 and said.verdict == "second"
    assert said.known_bias and said.to_dicts()[0]["known_bias"], "it stands beside the verdict"
    others = [voted(np.ones(60), method).known_bias for method in METHODS if method != "balanced"]
    assert not any(others)


@given(st.permutations(range(8)), st.permutations(range(3, 11)), st.integers(1, 8), st.sampled_from(list(METHODS)))
@settings(max_examples=40, deadline=None)
def test_laws_of_any_lists(first, second, k, method) -> None:
    made = interleave(*repeated(first, second, n=30), k=k, method=method, rng=1)
    for one, ranks in zip(made.lists.tolist(), made.ranks.transpose(1, 0, 2), strict=True):
        assert len(set(one)) == k, "no item twice"
        assert set(one) <= set(first) | set(second)
        np.testing.assert_array_equal(ranks[0], [first.index(i) if i in first else 8 for i in one])
        if method != "probabilistic":  # every place holds the best item left of one of the two
            for place, item in enumerate(one):
                above = one[:place]
                assert item in {next(i for i in ranking if i not in above) for ranking in (first, second)}
    if method == "team_draft":
        sizes = [(made.team == side).sum(axis=1) for side in (0, 1)]
        assert (np.abs(sizes[0] - sizes[1]) <= k % 2).all(), "both show as much"
    same = interleave(*repeated(first, first, n=5), k=k, method=method)
    if method in ("optimized", "probabilistic"):
        np.testing.assert_allclose(same.credit, 0, atol=1e-12)
    if method in ("optimized", "balanced", "team_draft"):
        assert (same.lists == np.array(first[:k])).all()


@given(st.permutations(range(6)), st.permutations(range(6)))
@settings(max_examples=25, deadline=None)
def test_no_mixture_favours_a_ranker(first, second) -> None:
    lists, chances, given = mixture(tuple(first), tuple(second), 5)
    assert chances.sum() == pytest.approx(1) and (chances >= 0).all() and len(lists) <= 32
    np.testing.assert_allclose(chances @ given.cumsum(axis=1), 0, atol=1e-8)


def test_short_rankings_and_turns(rng) -> None:
    short = np.array([[1, -1, -1]] * 50)
    long = np.array([[2, 3, 4]] * 50)
    for method in METHODS:
        made = interleave(short, long, k=6, method=method)
        held = [sorted(item for item in one if item >= 0) for one in made.lists.tolist()]
        assert held == [[1, 2, 3, 4]] * 50
        assert (made.credit[made.lists < 0] == 0).all()
    team = interleave(*repeated([1, 2, 3], [4, 5, 6]), k=3).team
    assert (team[:, 0] == 0).mean() == pytest.approx(0.5, abs=0.02)
    assert (team[:, 2] == 0).mean() == pytest.approx(0.5, abs=0.02)


def test_a_user_has_one_vote() -> None:
    made = interleave(*repeated([1], [2], n=4), k=1)
    made = Interleaved(
        method="team_draft",
        lists=made.lists,
        credit=np.array([[1.0], [1.0], [-1.0], [-1.0]]),
        ranks=made.ranks,
        team=made.team,
    )
    clicked = np.ones((4, 1), bool)
    said = preference(made, clicked, users=np.array(["ann", "ann", "bob", "ann"]))
    assert (said.wins, said.losses, said.ties) == (1, 1, 0)
    assert said.verdict == "undecided" and said.to_dicts()[0]["p_value"] == 1.0


# ------------------------------------------------------------------------------------------------- users needed


def test_sensitivity_is_measured_in_a_world(rate_error) -> None:
    from reclens.world.population import draw_world
    from reclens.world.response import respond
    from reclens.world.settings import preset
    from reclens.world.strategies import Consumed, Oracle, Popular

    world = draw_world(preset("tiny", click_rate=0.3), seed=1)
    everybody = np.arange(world.users.height)
    lists = []
    for strategy in (Oracle(world), Popular()):
        users, items, days = world.history
        n_users, n_items = world.users.height, world.items.height
        strategy.fit(Consumed(users=users, items=items, days=days, n_users=n_users, n_items=n_items, day=0))
        lists.append(strategy.recommend(everybody, 10))
    found = measure_sensitivity(world, *lists, k=5, lists=10)
    for method in METHODS:
        each = found[method]
        assert each.preference.verdict == "first" and each.effect.low > 0
        # Mixed lists need far fewer users here; two methods wait for 50 units with credit.
        assert each.gain.low > (1.2 if method in LEAST_CREDITED else 1.5), method
        assert each.gain.value == pytest.approx(found["ab"].users.value / each.users.value)
    # Held against tests of so many users, one list each, with luck of their own: four fifths of them find it.
    who = np.repeat(everybody, 20)
    number = np.tile(np.arange(20), len(everybody))
    for method in ("team_draft", "balanced"):
        n = round(found[method].users.value)
        made = interleave(lists[0][who], lists[1][who], k=5, rng=77, method=method)
        clicked = respond(world, who, made.lists, requests=number, seed=77).clicked
        some = np.random.default_rng(5).integers(0, len(who), (1_000, n))
        verdicts = [preference_of(method, each, 0.95).verdict for each in credit(made, clicked)[some]]
        assert np.mean(np.array(verdicts) == "first") == pytest.approx(0.8, abs=rate_error(0.8, 1_000) + 0.03), method
    planned = measure_sensitivity(world, *lists, k=5, lists=10, methods=["team_draft"], looks=group_sequential(4))
    for method in ("ab", "team_draft"):
        more = planned[method].users.value / found[method].users.value
        assert more == pytest.approx(group_sequential(4).inflation), method
    assert planned["team_draft"].gain.value == pytest.approx(found["team_draft"].gain.value)
    same = measure_sensitivity(world, lists[0], lists[0], k=5, lists=2, methods=["team_draft"])
    assert same["ab"].effect.value == 0 and same["ab"].users.low is None
    assert same["team_draft"].preference.verdict == "undecided"
    assert same.to_dicts()[1]["method"] == "team_draft"


def test_units_needed_by_hand() -> None:
    # With many units it is the normal formula, and the variance about zero costs z² units more.
    z, z_power = 1.959964, 1.281552
    size = units_needed(0.005, 2.0, power=0.9, level=0.95)
    assert size == pytest.approx((z + z_power) ** 2 * 160_000, rel=1e-4)
    # With few it solves the equation of its docstring.
    size = units_needed(0.5, 1.0, credited=0.4)
    q = stats.t.ppf(0.975, size * 0.4 - 1)
    assert size == pytest.approx((q * np.sqrt(size / (size - q**2)) + stats.norm.ppf(0.8)) ** 2 * 4)
    assert units_needed(0.0, 1.0) == np.inf


@pytest.mark.parametrize("method", ["team_draft", "optimized"])
def test_the_size_given_has_the_power_promised(method, rate_error) -> None:
    first, second = SAME, [3, 0, 4, 1, 5, 2, 6, 7]
    relevance = np.array([0.30, 0.25, 0.22, 0.18, 0.18, 0.16, 0.1, 0.1])
    runs = 600

    def scores(n: int, seed: int) -> np.ndarray:
        made = interleave(*repeated(first, second, n=n), k=5, method=method, rng=seed)
        chance = relevance[made.lists] * np.arange(1.0, 6) ** -0.5
        return credit(made, np.random.default_rng(seed).random(made.lists.shape) < chance)

    many = scores(100_000, 1)
    n = round(units_needed(many.mean(), many.std(), credited=(many != 0).mean()))
    found = [preference_of(method, each, 0.95).verdict == "first" for each in scores(runs * n, 2).reshape(runs, n)]
    assert np.mean(found) == pytest.approx(0.8, abs=rate_error(0.8, runs))


def test_wrong_use() -> None:
    one = np.array([[1, 2]])
    with pytest.raises(UnknownNameError, match="Did you mean 'team_draft'"):
        interleave(one, one, method="teamdraft")
    with pytest.raises(UsageError, match="expected a row a user in both"):
        interleave(one, np.array([[1], [2]]))
    with pytest.raises(UsageError, match="k is 0"):
        interleave(one, one, k=0)
    with pytest.raises(UsageError, match="expected at most 10"):
        interleave(one, one, k=11, method="optimized")
    with pytest.raises(UsageError, match="clicks have shape"):
        credit(interleave(one, one, k=2), np.ones((2, 2), bool))
