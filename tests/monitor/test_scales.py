"""Scales of even noise: by hand, and there and back."""

from __future__ import annotations

import numpy as np
import pytest

from reclens.monitor.scales import back, forth

NONE = np.array([np.nan])


def test_the_error_of_a_share_is_that_of_its_traffic():
    for events in (0.0, 40.0):  # 40 of 1,000; and none, which binomial errors call certain
        value, error = forth(
            "logit", np.array([events / 1000]), NONE, np.array([events]), np.array([1000.0]), np.array([1000.0])
        )
        assert error[0] == pytest.approx(0.5 / np.sqrt(1000.5))
        assert value[0] == pytest.approx(np.arcsin(np.sqrt((events + 0.375) / 1000.75)))
        assert back("logit", value)[0] == pytest.approx(events / 1000, abs=1e-3)


def test_a_logarithm_has_relative_errors_and_half_an_event_for_none():
    value, error = forth("log", np.array([50.0, 0.0]), np.array([5.0, 1.0]), NONE, NONE, np.array([50.0, 0.0]))
    np.testing.assert_allclose(value, np.log([50, 0.5]))
    np.testing.assert_allclose(error, [0.1, np.sqrt(2)])
    np.testing.assert_allclose(back("log", value), [50, 0.5])
