"""What the tests and intervals of experiments promise, checked where the truth is known.

Values are heavy-tailed: log-normal with σ = 1.5 (skewness 33) for three users of ten, and 0 for the others.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from reclens.stats.aa import aa_tests
from reclens.stats.arms import compare_arms
from reclens.stats.counts import homogeneity, sample_ratio
from reclens.stats.difference import Difference
from reclens.stats.moments import Moments
from reclens.stats.proportions import proportion_difference
from reclens.stats.quantiles import QuantilePivot, mid_quantiles, quantile_difference
from reclens.stats.stratify import post_stratified

TRIALS = 2000
# Three and a half Monte-Carlo standard errors of a share of 5 % about it.
LOW, HIGH = (0.05 + sign * 3.5 * np.sqrt(0.05 * 0.95 / TRIALS) for sign in (-1, 1))


def heavy(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """Users: an outcome with its period before, and minutes that go with it."""
    taste, *noise = rng.standard_normal((5, n), np.float32)
    now, before = ((rng.random(n, np.float32) < 0.3) * np.exp(1.2 * taste + 0.9 * part) for part in noise[:2])
    minutes, earlier = (np.exp(0.5 * taste + 0.5 * part) for part in noise[2:])
    return {"y": now, "x": before, "minutes": minutes, "minutes_before": earlier}


METRICS = {
    "mean": ("y", ()),
    "CUPED": ("y", ("x",)),
    "two covariates": ("y", ("x", "minutes_before")),
    "ratio": (("y", "minutes"), ()),
    "CUPED of a ratio": (("y", "minutes"), (("x", "minutes_before"),)),
}


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_a_a_tests_find_a_difference_as_often_as_promised(share: float) -> None:
    columns = heavy(np.random.default_rng(1), 10_000)
    columns["bought"] = (columns["y"] > 0).astype(float)
    metrics = {name: of for name, (of, _) in METRICS.items()} | {"share": "bought"}
    covariates = {name: extra for name, (_, extra) in METRICS.items()}
    found = aa_tests(columns, metrics, covariates=covariates, splits=TRIALS, share=share, rng=2)
    for name in metrics:
        rate = found.false_positives(name).value
        assert LOW <= rate <= HIGH, (name, rate)
        assert share != 0.5 or found.uniformity(name) > 1e-3, name


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_quantiles_of_clustered_rows_find_a_difference_as_often_as_promised(share: float) -> None:
    # The 90 % quantile of five loads a user, whose own speed makes them alike: 1,000 users, all treated alike.
    trials, hits, careless = 500, 0, 0
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        users = np.repeat(np.arange(1000), 5)
        values = rng.exponential(1, 5000) * np.repeat(np.exp(0.8 * rng.normal(size=1000)), 5)
        new = (rng.random(1000) < share)[users]
        sides = [(values[~new], users[~new]), (values[new], users[new])]
        rows, who = zip(*sides, strict=True)
        hits += quantile_difference(*mid_quantiles(rows, 0.9, clusters=who)).p_value <= 0.05
        alone = mid_quantiles(rows, 0.9)
        careless += abs(QuantilePivot(*alone, (alone[0].spread(), alone[1].spread())).z_at(0.0)) > 1.96
    error = 3.5 * np.sqrt(0.05 * 0.95 / trials)
    assert 0.05 - error <= hits / trials <= 0.05 + error
    assert careless / trials > 0.05 + error  # rows as if they were users find twice as many


def test_splits_are_tested_as_arms_are(rng: np.random.Generator) -> None:
    # The same split, by the matrix product and by moments of the arms.
    columns = heavy(rng, 2000)
    metrics = {name: of for name, (of, _) in METRICS.items()}
    found = aa_tests(columns, metrics, covariates={name: x for name, (_, x) in METRICS.items()}, splits=5, rng=9)
    bits = np.frombuffer(np.random.default_rng(9).bytes(5 * 250), np.uint8).reshape(5, -1)
    for trial, chosen in enumerate(np.unpackbits(bits, axis=1).astype(bool)):
        control, treatment = (Moments.of({k: v[side] for k, v in columns.items()}) for side in (~chosen, chosen))
        for name, (of, covariates) in METRICS.items():
            single = compare_arms(control, treatment, of, covariates=covariates)
            assert found.lifts[name][trial] == pytest.approx(single.absolute.value, abs=1e-12)
            assert found.p_values[name][trial] == pytest.approx(single.p_value, rel=2e-2)


def test_a_metric_that_does_not_vary_has_no_splits_to_test() -> None:
    (row,) = aa_tests({"x": np.ones(100)}, ["x"], splits=20, rng=1).to_dicts()
    assert np.isnan(row["uniformity_p_value"]) and np.isnan(row["false_positives"]) and row["sd_of_difference"] == 0


def test_tests_of_counts_keep_their_promise() -> None:
    rng = np.random.default_rng(3)
    x = rng.binomial(5000, 0.1, (TRIALS, 2))
    pooled = np.array([proportion_difference((a, 5000), (b, 5000), pooled=True).p_value for a, b in x.tolist()])
    groups = np.array([homogeneity(row, [4000] * 4).p_value for row in rng.binomial(4000, 0.2, (TRIALS, 4)).tolist()])
    arms = rng.multinomial(9000, [0.5, 0.25, 0.25], TRIALS)
    ratio = np.array([sample_ratio(row, [2, 1, 1]).p_value for row in arms.tolist()])
    for p in (pooled, groups, ratio):
        assert LOW <= np.mean(p <= 0.05) <= HIGH


def test_post_stratified_a_a_tests_keep_their_promise() -> None:
    rng = np.random.default_rng(5)
    level = rng.integers(0, 3, 3000)
    y = level * 2.0 + rng.gamma(1, 1, 3000)
    hits = []
    for _ in range(600):
        arm = rng.random(3000) < 0.5
        sides = [{str(s): Moments.of({"y": y[side & (level == s)]}) for s in range(3)} for side in (~arm, arm)]
        hits.append(post_stratified(*sides, "y").p_value <= 0.05)
    assert abs(np.mean(hits) - 0.05) < 3.5 * np.sqrt(0.05 * 0.95 / 600)


def experiments(trials: int, n: int) -> Iterator[tuple[Moments, Moments]]:
    """Experiments with ``n`` users an arm; treatment raises every outcome by 10 %."""
    rng = np.random.default_rng(6)
    for _ in range(trials):
        users = heavy(rng, 2 * n)
        users["y"][n:] *= 1.1
        table = np.stack(list(users.values()), axis=1)
        control, treatment = (
            Moments.of_matrix(table[part], columns=tuple(users)) for part in (slice(n), slice(n, None))
        )
        yield control, treatment


@pytest.mark.slow
def test_intervals_cover_the_truth_on_heavy_tails() -> None:
    # E y = 0.3 exp(σ²/2) with σ² = 1.2² + 0.9²; treatment is 1.1 times that. The ratio's denominators have the mean
    # exp((0.5² + 0.5²)/2) in both arms.
    mean, minutes = 0.3 * np.exp((1.2**2 + 0.9**2) / 2), np.exp(0.25)
    truth = {
        "mean": 0.1 * mean,
        "CUPED": 0.1 * mean,
        "two covariates": 0.1 * mean,
        "ratio": 0.1 * mean / minutes,
        "CUPED of a ratio": 0.1 * mean / minutes,
    }
    inside: dict[str, list[bool]] = {}

    def note(name: str, found: Difference) -> None:
        a, r = found.absolute, found.relative
        inside.setdefault(name, []).append(a.low <= truth[name] <= a.high)
        inside.setdefault(f"lift of {name}", []).append(r.low <= 0.1 <= r.high)

    for control, treatment in experiments(1200, 10_000):
        for name, (of, covariates) in METRICS.items():
            note(name, compare_arms(control, treatment, of, covariates=covariates))
        fieller = compare_arms(control, treatment, "y", relative="fieller").relative
        inside.setdefault("Fieller", []).append(fieller.low <= 0.1 <= fieller.high)
    covered = {name: float(np.mean(hits)) for name, hits in inside.items()}
    assert all(0.94 <= share <= 0.96 for share in covered.values()), covered


def test_splits_of_a_share_are_tested_as_shares() -> None:
    """With hundreds of units the score test is next to that of means."""
    y = np.repeat([0.0, 1.0], [420, 180])
    as_means, as_shares = (
        aa_tests({"y": y}, ["y"], splits=40, rng=1, share=0.3, proportions=named).p_values["y"]
        for named in ((), ("y",))
    )
    assert np.abs(as_means - as_shares).max() < 0.01 and not np.array_equal(as_means, as_shares)
