"""What a comparison concludes, as a code, and who gains."""

from __future__ import annotations

from pathlib import Path

from reclens import models
from reclens.data.split import random
from reclens.evaluation import Comparison, compare, evaluate
from reclens.report.evaluation.words import comparison_text as verdict_of


def test_a_comparison_survives_being_saved(results, tmp_path: Path) -> None:
    comparison = compare(results, baseline="poor")
    comparison.save(tmp_path)
    again = Comparison.load(tmp_path)
    assert again.to_dicts() == comparison.to_dicts() and verdict_of(again) == verdict_of(comparison)


def test_who_gains_by_a_metric_whose_lower_values_are_better(small_data) -> None:
    """Counted by hand from the values of each user: a fall is a gain."""
    split = random(small_data, rng=1)
    train = split.train
    results = {
        name: evaluate(
            model.fit(train).recommend(split.test_users),
            split.test,
            train=train,
            features="genres",
            metrics=["miscalibration@10", "ndcg@10"],
            replicates=200,
            name=name,
        )
        for name, model in {"popular": models.Popular(), "ease": models.EASE(l2=50)}.items()
    }
    found = compare(results, baseline="popular").find("ease", "miscalibration@10")
    both = results["popular"].per_user.join(results["ease"].per_user, on="user_id", suffix=" of ease")
    change = (both["miscalibration@10 of ease"] - both["miscalibration@10"]).drop_nans()
    assert (found.gained, found.lost) == (int((change < -1e-12).sum()), int((change > 1e-12).sum()))
    assert found.gained == found.losses
    verdict = verdict_of(compare(results, baseline="popular", metrics=["miscalibration@10"]))
    assert any(f"{found.gained:,} users gain, {found.lost:,} lose" in sentence for sentence in verdict)
