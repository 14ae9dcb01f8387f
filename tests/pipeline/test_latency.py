"""Times by a clock that is set by hand: warm, by the wall, and every request once."""

from __future__ import annotations

from types import SimpleNamespace

import polars as pl
import pytest

from reclens.errors import UsageError
from reclens.pipeline import Step
from reclens.pipeline import latency as module
from reclens.pipeline.latency import measure_latency


class Served:
    """A pipeline whose first requests take a second, and all others as many milliseconds as the user's id says.

    Its one stage takes half of that; the rest lies between the stages.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, slow: int) -> None:
        self.now, self.slow, self.users = 0.0, slow, []
        monkeypatch.setattr(module.time, "perf_counter", lambda: self.now)

    def run(self, users, *, k, threads):
        self.users += users
        seconds = 1.0 if len(self.users) <= self.slow else users[0] / 1000
        self.now += seconds
        return SimpleNamespace(
            steps=(Step(stage="rank", label="ease", users=1, rows_in=1, rows_out=1, seconds=seconds / 2),)
        )


def test_the_total_is_that_of_the_wall_and_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    served = Served(monkeypatch, slow=20)
    rank, total = measure_latency(served, pl.Series(range(1, 301)), n=200)  # type: ignore[arg-type]
    timed = sorted(served.users[20:])
    assert len(served.users) == 220 and len(set(timed)) == 200, "everybody once"
    assert not set(served.users[:20]) & set(timed), "others warm it up"
    assert (total.stage, total.label, total.median.n) == ("total", "whole request", 200)
    assert total.median.value == pytest.approx((timed[99] + timed[100]) / 2)
    assert rank.median.value == pytest.approx(total.median.value / 2)
    # Type 7: the quantile q lies at place 199 q, counted from 0.
    assert total.p95.value == pytest.approx(timed[189] + 0.05 * (timed[190] - timed[189]))
    assert total.p99.value == pytest.approx(timed[197] + 0.01 * (timed[198] - timed[197]))
    assert total.p99.high is None, "200 requests do not bound the 99 % quantile from above"
    assert set(total.to_dicts()[0]) >= {"median_ms", "p95_ms", "p99_ms", "p99_ms_low", "n"}


def test_few_users_warm_it_up_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    served = Served(monkeypatch, slow=20)
    _, total = measure_latency(served, pl.Series([2, 4, 6]), n=200)  # type: ignore[arg-type]
    assert total.median.value == pytest.approx(4) and len(served.users) == 23


@pytest.mark.parametrize(("users", "n"), [([], 5), ([1], 0)])
def test_nothing_to_serve(users: list[int], n: int) -> None:
    with pytest.raises(UsageError, match="expected 1 or more of both"):
        measure_latency(None, pl.Series(users, dtype=pl.Int64), n=n)  # type: ignore[arg-type]
