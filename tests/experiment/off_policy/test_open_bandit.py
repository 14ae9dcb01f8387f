"""The Open Bandit Dataset: estimates and intervals of a policy that was really run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.special import expit

from reclens.experiment.off_policy import Decisions, evaluate_policy, read_decisions

STORED = Path(__file__).parent / "stored" / "open_bandit_random_all.npz"


@pytest.fixture(scope="module")
def sample() -> dict[str, np.ndarray]:
    with np.load(STORED, allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def bandit(sample) -> Decisions:
    return Decisions.of(sample["item"], sample["click"], np.full(10_000, 1 / 80), places=sample["position"] - 1)


@pytest.fixture(scope="module")
def thompson(sample) -> np.ndarray:
    """Bernoulli Thompson sampling from its prior, as obp's ``compute_batch_action_dist(n_sim=100000)`` draws it."""
    drawn, counts = np.random.RandomState(12345), np.zeros((80, 3))
    for _ in range(10):
        rewards = drawn.beta(sample["alpha"], sample["beta"], size=(10_000, 80))
        for place in range(3):
            best = rewards.argmax(axis=1)
            counts[:, place] += np.bincount(best, minlength=80)
            rewards[np.arange(10_000), best] = -1
    return counts[None] / 100_000


def logistic(sample, folds: int = 3) -> np.ndarray:
    """Predictions of obp's RegressionModel over scikit-learn's LogisticRegression: one a place, L2 with C = 1."""
    features, item, place = sample["user_features"], sample["item"].astype(int), sample["position"].astype(int) - 1
    users = np.concatenate(
        [features[:, [i]] == np.arange(1, features[:, i].max() + 1) for i in range(4)], axis=1
    ).astype(float)
    items = np.c_[sample["item_categories"], sample["item_number"]]
    order = np.arange(len(item))
    np.random.RandomState(12345).shuffle(order)
    found = np.zeros((len(item), 80, 3))
    for held_out in np.array_split(order, folds):
        train = np.setdiff1d(order, held_out)
        for k in range(3):
            rows = train[place[train] == k]
            x, y = np.c_[users[rows], items[item[rows]], np.ones(len(rows))], sample["click"][rows]
            penalty, b = np.ones(x.shape[1]), np.zeros(x.shape[1])
            penalty[-1], b[-1] = 0, -5
            for _ in range(50):  # Newton's method
                p = expit(x @ b)
                step = np.linalg.solve((x.T * (p * (1 - p))) @ x + np.diag(penalty + 1e-9), x.T @ (p - y) + penalty * b)
                b = b - step
                if np.abs(step).max() < 1e-10:
                    break
            assert np.abs(step).max() < 1e-9
            n = users.shape[1]
            found[held_out, :, k] = expit((users[held_out] @ b[:n])[:, None] + items @ b[n:-1] + b[-1])
    return found


@pytest.fixture(scope="module")
def evaluated(sample, bandit, thompson):
    return evaluate_policy(bandit, thompson, predictions=logistic(sample))


def test_open_bandit_sample(sample, thompson, evaluated) -> None:
    published = [[0.01078, 0.00931, 0.00917], [0.00167, 0.00077, 0.00076], [0.0582, 0.07603, 0.07998]]
    np.testing.assert_allclose(thompson[0, [0, 1, 79]], published)
    value = {name: evaluated[name].value for name in ("ips", "snips", "dm", "dr")}
    assert value["ips"].value == pytest.approx(0.004553, abs=5e-7)
    assert value["snips"].value == pytest.approx(0.0047758331, abs=1e-9)
    assert value["dr"].value == pytest.approx(0.004727, abs=3e-6)
    assert value["dm"].value == pytest.approx(0.003545, abs=1e-5)
    measured = (evaluated.weights.effective, evaluated.weights.largest, evaluated.weights.mean)
    assert measured == pytest.approx((1639.50187, 19.5984, 0.9533164), abs=1e-4)
    assert evaluated.logged.value == 0.0038
    # 38 clicks cannot tell: the interval holds the value of the logging policy,.
    assert value["ips"].low < 0.0038 < value["ips"].high
    assert evaluated.verdict == "undecided"
    # Relative error of IPW to what Thompson sampling really earned in its own log.
    assert sample["bts_click"].mean() == 0.0042
    assert abs(value["ips"].value / 0.0042 - 1) == pytest.approx(0.084019, abs=1e-6)


def test_the_published_cases(sample, evaluated, cases) -> None:
    earned, weights = float(sample["bts_click"].mean()), evaluated.weights
    values = {
        "obd_ipw": evaluated["ips"].value.value,
        "obd_snipw": evaluated["snips"].value.value,
        "obd_dr": evaluated["dr"].value.value,
        "obd_onpolicy": earned,
        "obd_ree_ipw": abs(evaluated["ips"].value.value - earned) / earned,
        "obd_ess": [weights.effective, weights.largest, weights.mean],
    }
    assert set(values) == {name for name in cases if name.startswith("obd_")}
    for name, value in values.items():
        assert value == pytest.approx(cases[name]["expected"], abs=cases[name]["tolerance"]), name


def test_the_men_of_the_shared_sample_by_hand(shared_data: Path) -> None:
    from reclens.data.read.bandit import read_open_bandit

    log = read_open_bandit(shared_data / "obd" / "open_bandit_sample.zip", campaign="men")
    assert log.items is not None
    decisions = read_decisions(log.impressions, items=log.items["item_id"])
    assert (decisions.n_actions, decisions.n_places, decisions.n_units) == (34, 3, 10_000)
    target = np.zeros(34)
    target[:10] = 0.1
    found = evaluate_policy(decisions, target, method="normal")
    shown = log.impressions.filter(pl.col("item_id") < 10)
    assert found["ips"].value.value == pytest.approx(3.4 * shown["clicked"].sum() / 10_000)
    assert found["snips"].value.value == pytest.approx(shown["clicked"].mean())
    assert found.weights.effective == pytest.approx(shown.height)
