"""The scorer of the Numenta Anomaly Benchmark: by hand, and against what was published."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import nab

STANDARD = nab.Weights(found=1.0, false_alarm=0.11, missed=1.0)


def series(n=100, windows=((40, 49),)):
    return nab.Series("a", [], np.zeros(n), list(windows))


def test_a_perfect_detector_has_100_and_none_has_0():
    scores = np.zeros(100)
    assert nab.best_score([series()], {"a": scores}, STANDARD) == (np.inf, 0.0)
    scores[40] = 1
    assert nab.best_score([series()], {"a": scores}, STANDARD) == (1.0, pytest.approx(100.0))


def test_a_late_detection_and_a_false_alarm_by_hand():
    scores = np.zeros(100)
    scores[[30, 45]] = 1
    # At place 5 of 10 the position is -(49 - 45 + 1) / 10 = -.5; before any window a false alarm costs .11 in full.
    late = (2 / (1 + np.exp(-2.5)) - 1) / (2 / (1 + np.exp(-5)) - 1)
    assert nab.best_score([series()], {"a": scores}, STANDARD)[1] == pytest.approx(100 * (late - 0.11 + 1) / 2)
    scores[[30, 45, 51]] = 0, 1, 1
    # 2 points behind a window of 10 the position is 2 / 9.
    behind = 2 / (1 + np.exp(5 * 2 / 9)) - 1
    assert nab.best_score([series()], {"a": scores}, STANDARD)[1] == pytest.approx(100 * (late + 0.11 * behind + 1) / 2)


def test_the_beginning_of_a_series_is_not_scored():
    scores = np.zeros(100)
    scores[:15], scores[40] = 1, 1
    assert nab.best_score([series()], {"a": scores}, STANDARD)[1] == pytest.approx(100.0)
    assert nab.probation(100) == 15 and nab.probation(100_000) == 750


@pytest.fixture
def archive(shared_data: Path) -> Path:
    path = shared_data / "nab" / "NAB.zip"
    if not path.exists():
        pytest.skip(f"needs {path}")
    return path


def test_published_scores_are_reproduced(archive):
    """The README of NAB has 39.65, 20.87 and 47.41 for windowedGaussian; final_results.json has more places."""
    data, profiles = nab.read_nab(archive)
    assert (len(data), sum(len(each.windows) for each in data)) == (58, 116)
    scores = nab.shipped(archive, "windowedGaussian", data)
    found = {profile: nab.best_score(data, scores, weights)[1] for profile, weights in profiles.items()}
    assert found == {
        "standard": pytest.approx(39.649523496077585, abs=1e-6),
        "reward_low_FP_rate": pytest.approx(20.86798582474138, abs=1e-6),
        "reward_low_FN_rate": pytest.approx(47.4100271583046, abs=1e-6),
    }
    for detector, known in nab.published(archive).items():
        for profile, (raw, score) in known.items():
            if detector != "random":  # published as the mean of several runs
                assert nab.scaled(raw, 116, profiles[profile]) == pytest.approx(score, abs=1e-6), detector
