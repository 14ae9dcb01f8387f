"""Drills of phase 4: exposure and calibration by hand."""

from __future__ import annotations

import numpy as np
import polars as pl

from reclens.learn.drill import Drill, Paper

__all__ = ["CalibrationByHand", "ExposureByHand"]


class ExposureByHand(Drill):
    """The share of attention that small shops get, against their share of relevance."""

    code = "4.b"
    name = "exposure_by_hand"
    mistakes = ("items counted", "best places alone", "share of items as merit")

    def make(self, rng: np.random.Generator) -> Paper:
        """Three lists of five items, with group and relevance."""
        groups = rng.choice(["small", "large"], (3, 5), p=[0.4, 0.6])
        relevance = np.round(rng.uniform(0.1, 0.9, (3, 5)), 1)
        small = groups == "small"
        attention = np.tile(1 / np.log2(np.arange(2, 7)), (3, 1))
        exposure = float(attention[small].sum() / attention.sum())
        merit = float(relevance[small].sum() / relevance.sum())
        share = float(small.mean())
        if share in (0.0, 1.0):  # nothing to compare: drawn again, since both mistakes are then right
            exposure = merit = share = 1.0
        lists, places = np.indices((3, 5)) + 1
        return Paper(
            data=pl.DataFrame(
                {
                    "list": lists.ravel(),
                    "rank": places.ravel(),
                    "group": groups.ravel(),
                    "relevance": relevance.ravel(),
                }
            ),
            right={"exposure_share": exposure, "merit_share": merit, "ratio": exposure / merit},
            mistakes={
                "items counted": {"exposure_share": share, "ratio": share / merit},
                "best places alone": {"exposure_share": float(small[:, 0].mean())},
                "share of items as merit": {"merit_share": share, "ratio": exposure / share},
            },
        )


class CalibrationByHand(Drill):
    """How far the genres of a list are from those of the history: Steck (2018)."""

    code = "4.c"
    name = "calibration_by_hand"
    mistakes = ("not smoothed", "the other way round", "logarithm to base two")

    def make(self, rng: np.random.Generator) -> Paper:
        """Items of three genres in the history of a user and in the list."""
        history = rng.permutation([int(rng.integers(8, 14)), int(rng.integers(4, 7)), int(rng.integers(1, 3))])
        shown = rng.multinomial(10, rng.dirichlet([2, 2, 2]))
        p, q = history / history.sum(), shown / 10
        smooth = 0.9 * q + 0.1 * p
        divergence = float(np.sum(p * np.log(p / smooth)))
        raw = float(np.sum(p * np.log(p / np.maximum(q, 1e-9))))
        back = np.where(smooth > 0, smooth, 1.0)
        return Paper(
            data=pl.DataFrame({"genre": ["crime", "comedy", "drama"], "in_history": history, "in_list": shown}),
            right={"divergence": divergence, "missing": ["crime", "comedy", "drama"][int(np.argmax(p - q))]},
            mistakes={
                "not smoothed": {"divergence": raw},
                "the other way round": {"divergence": float(np.sum(smooth * np.log(back / p)))},
                "logarithm to base two": {"divergence": divergence / np.log(2)},
            },
        )
