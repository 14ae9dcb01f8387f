"""Interleaving: lists by hand, credit by the published cases, no preference where there is none, and users needed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reclens.errors import UnknownNameError, UsageError
from reclens.experiment.interleave import (
    METHODS,
    Interleaved,
    credit,
    interleave,
    measure_sensitivity,
    preference,
    sign_test,
    team_credit,
    units_needed,
)
from reclens.experiment.interleave.optimized import mixture

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
    assert dict(zip(map(tuple, lists.tolist()), chances, strict=True)) == {(1, 2): pytest.approx(0.5),
                                                                           (2, 1): pytest.approx(0.5)}  # fmt: skip
    np.testing.assert_allclose(given[lists == 1], 0.5)
    np.testing.assert_allclose(given[lists == 2], -0.5)


# ----------------------------------------------------------------------------------------------------- published cases


def test_the_published_cases(cases) -> None:
    case = cases["binom_60_40"]
    assert sign_test(**case["inputs"]) == pytest.approx(case["expected"], abs=case["tolerance"])
    case = cases["tdi_credit"]["inputs"]
    team = np.array([[0 if item in case["teams"]["A"] else 1 for item in case["ranking"]]])
    clicked = np.isin(np.arange(4), case["clicked_positions"])[None]
    assert team_credit(team, clicked).tolist() == [cases["tdi_credit"]["expected"]]
    made = Interleaved("team_draft", np.array([case["ranking"]]), 1.0 - 2 * team, np.zeros((2, 1, 4), int), team)
    assert credit(made, clicked).tolist() == [-2.0]


def test_sign_test_and_share_are_exact() -> None:
    from scipy.stats import binomtest

    for wins, losses in ((60, 40), (3, 0), (0, 3), (7, 7), (512, 400)):
        found = binomtest(wins, wins + losses)
        assert sign_test(wins, losses) == pytest.approx(found.pvalue, rel=1e-9)
        scores = np.r_[np.ones(wins), -np.ones(losses), np.zeros(5)]
        made = Interleaved("team_draft", np.ones((len(scores), 1), int), scores[:, None], np.zeros((2, 1, 1)), scores)
        said = preference(made, np.ones((len(scores), 1), bool))
        exact = found.proportion_ci(0.95, method="exact")
        assert (said.wins, said.losses, said.ties) == (wins, losses, 5)
        assert (said.share.low, said.share.high) == pytest.approx((exact.low, exact.high), abs=1e-9)
        assert said.margin == pytest.approx((wins - losses) / len(scores))


# --------------------------------------------------------------------------------------------------- no preference


@pytest.mark.parametrize("method", ["team_draft", "probabilistic", "optimized"])
def test_clicks_at_random_prefer_nobody(method, rng) -> None:
    first, second = [1, 2, 3, 4, 5, 6], [4, 2, 7, 1, 8, 9]
    made = interleave(*repeated(first, second), k=5, method=method)
    # Whoever clicks by place alone gives nothing on average; for optimised lists, whoever reads any number of places.
    place = made.credit if method != "optimized" else made.credit.cumsum(axis=1)
    assert (np.abs(place.mean(axis=0)) < 4 * place.std(axis=0) / np.sqrt(N) + 1e-12).all()
    depth = rng.integers(1, 6, size=(N, 1))
    at = (rng.random((N, 1)) * depth).astype(int)
    said = preference(made, np.arange(5) == at)
    assert abs(said.score.value) < 4 * (said.score.high - said.score.low) / 3.92


def test_what_balanced_gets_wrong_is_known() -> None:
    # Radlinski, Kurup, Joachims (2008), section 3.2: of (a, b, c) and (b, c, a), a click anywhere prefers the second.
    made = interleave(*repeated([1, 2, 3], [2, 3, 1]), k=3, method="balanced")
    at = np.random.default_rng(9).integers(3, size=(N, 1))
    assert preference(made, np.arange(3) == at).margin < -0.2


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
    made = Interleaved("team_draft", made.lists, np.array([[1.0], [1.0], [-1.0], [-1.0]]), made.ranks, made.team)
    clicked = np.ones((4, 1), bool)
    said = preference(made, clicked, users=np.array(["ann", "ann", "bob", "ann"]))
    assert (said.wins, said.losses, said.ties) == (1, 1, 0)
    assert said.verdict == "undecided" and said.to_dicts()[0]["p_value"] == 1.0


# ------------------------------------------------------------------------------------------------- users needed


def test_sensitivity_is_measured_in_a_world() -> None:
    from reclens.world.population import draw_world
    from reclens.world.response import respond
    from reclens.world.settings import preset
    from reclens.world.strategies import Consumed, Oracle, Popular

    world = draw_world(preset("tiny", click_rate=0.3), seed=1)
    everybody = np.arange(world.users.height)
    lists = []
    for strategy in (Oracle(world), Popular()):
        strategy.fit(Consumed(*world.history, world.users.height, world.items.height, 0))
        lists.append(strategy.recommend(everybody, 10))
    found = measure_sensitivity(world, *lists, k=5, lists=10)
    for method in METHODS:
        each = found[method]
        assert each.preference.verdict == "first" and each.effect.low > 0
        assert each.gain.low > 1.5, "mixed lists need far fewer users here"
        assert each.gain.value == pytest.approx(found["ab"].users.value / each.users.value)
    # Held against tests with so many users and luck of their own: four fifths of them find it.
    n = round(found["team_draft"].users.value)
    who = np.repeat(everybody, 20)
    made = interleave(lists[0][who], lists[1][who], k=5, rng=77)
    clicked = respond(world, who, made.lists, requests=np.tile(np.arange(20), len(everybody)), seed=77).clicked
    scores = np.random.default_rng(5).choice(credit(made, clicked), (2_000, n))
    z = scores.mean(axis=1) / scores.std(axis=1, ddof=1) * np.sqrt(n)
    assert (z > 1.96).mean() == pytest.approx(0.8, abs=0.1)
    same = measure_sensitivity(world, lists[0], lists[0], k=5, lists=2, methods=["team_draft"])
    assert same["ab"].effect.value == 0 and same["ab"].users.low is None
    assert same["team_draft"].preference.verdict == "undecided"
    assert same.to_dicts()[1]["method"] == "team_draft"


def test_units_needed_by_hand() -> None:
    assert units_needed(0.5, 2.0, power=0.9, level=0.95) == pytest.approx((1.959964 + 1.281552) ** 2 * 16, rel=1e-5)


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
