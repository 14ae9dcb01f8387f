"""Drills of phase 4: kinds of bias in a log, exposure and calibration by hand."""

from __future__ import annotations

import numpy as np
import polars as pl

from reclens.learn.drill import Drill, Paper

__all__ = ["CalibrationByHand", "ExposureByHand", "TellTheBiases"]

_BIASES = ("popularity", "position", "demographic", "feedback_loop", "none")


class TellTheBiases(Drill):
    """Six systems, each looked at by popularity, position, user group and week: which bias it has, if any."""

    code = "4.a"
    name = "tell_the_biases"
    mistakes = ("any gap is a bias", "constant gap taken for a loop", "positions not looked at")

    def make(self, rng: np.random.Generator) -> Paper:
        """One system of each kind, and one more."""
        kinds = rng.permutation([*_BIASES, str(rng.choice(_BIASES[:4]))]).tolist()
        right = {f"case_{at}": kind for at, kind in enumerate(kinds, 1)}
        rows = [(case, *row) for case, kind in right.items() for row in _looks(kind, rng)]
        columns = ["case", "by", "level", "value", "reference", "standard_error"]
        return Paper(
            data=pl.DataFrame(rows, schema=columns, orient="row"),
            right=right,
            mistakes={
                "any gap is a bias": {case: "demographic" for case, kind in right.items() if kind == "none"},
                "constant gap taken for a loop": {
                    case: "feedback_loop" for case, kind in right.items() if kind == "popularity"
                },
                "positions not looked at": {case: "none" for case, kind in right.items() if kind == "position"},
            },
            facts={"kinds": ", ".join(f"`{kind}`" for kind in _BIASES)},
        )


def _looks(kind: str, rng: np.random.Generator) -> list[tuple[str, str, float, float, float]]:
    """A system from four sides; what a bias does not touch differs from its reference by noise alone."""
    gaps: dict[tuple[str, str], float] = {("items", "head"): 0.0}
    gaps |= {("position", str(place)): 0.0 for place in range(1, 5)}
    gaps |= {("users", group): 0.0 for group in ("women", "men")}
    gaps |= {("week", str(week)): 0.0 for week in range(1, 5)}
    size = rng.uniform(0.10, 0.14)
    if kind == "popularity":
        gaps |= {("items", "head"): size} | {("week", str(week)): size for week in range(1, 5)}
    elif kind == "feedback_loop":
        gaps |= {("items", "head"): size} | {("week", str(week)): size * (week - 1) * 2 / 3 for week in range(1, 5)}
    elif kind == "position":
        gaps |= {("position", str(place)): size * (2.5 - place) / 1.5 for place in range(1, 5)}
    elif kind == "demographic":
        worse = int(rng.integers(2))
        gaps |= {("users", group): size * (-1) ** (at + worse) for at, group in enumerate(("women", "men"))}
    reference = {by: round(float(rng.uniform(0.3, 0.5)), 3) for by in ("items", "position", "users", "week")}
    reference["week"] = reference["items"]  # both are what users want of the head
    rows: list[tuple[str, str, float, float, float]] = []
    for (by, level), gap in gaps.items():
        error = round(float(rng.uniform(0.008, 0.012)), 3)
        noise = error * float(np.clip(rng.normal(), -1.8, 1.8))
        rows.append((by, level, round(reference[by] + gap + noise, 3), reference[by], error))
    return rows


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
