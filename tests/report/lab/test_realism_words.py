"""What the measures of realism mean, in words."""

from __future__ import annotations

from typing import get_args

import pytest

from reclens.report.lab.realism_words import NOTES, realism_text
from reclens.world.realism_checks import Check, RealismNote


@pytest.mark.parametrize(
    ("note", "facts", "said"),
    [
        ("gap_days", {"world": 2.04, "data": 3.0}, "2.0 on average in the world, 3.0 in the data"),
        ("singular_values", {"last": 11}, "mean |log ratio| of singular values 2 … 11"),
        ("rank_correlation", {"over": ["a", "b"], "same_best": True}, "Kendall's τ over a, b; the best is the same"),
        ("rank_correlation", {"over": ["a", "b"], "same_best": False}, "the best is another one"),
        ("past_test", {"metric": "clicks", "low": 0.05, "high": 0.12}, "of clicks; in the world +0.050 to +0.120"),
        ("repeats", {}, "0 where a reader dropped repeats"),
    ],
)
def test_measures_in_words(note: RealismNote, facts: dict, said: str) -> None:
    assert said in realism_text(
        Check(measure="m", simulated=0.1, reference=0.1, low=0.0, high=1.0, passed=True, note=note, facts=facts)
    )


def test_every_note_has_its_words() -> None:
    assert set(NOTES) == set(get_args(RealismNote))
