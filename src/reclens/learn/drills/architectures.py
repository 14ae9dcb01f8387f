"""Drills of phase 3: feature crossings, the logQ correction, and attention, with small numbers."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import polars as pl

from reclens.learn.drill import Drill, Paper

__all__ = ["CorrectTheSampling", "CrossTheFeatures", "ReadTheAttention"]


def _sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


class CrossTheFeatures(Drill):
    """The wide part and the pairwise crossings of DeepFM for one example."""

    code = "3.a"
    name = "cross_the_features"
    mistakes = ("a feature crossed with itself", "pairs counted twice", "absent features crossed")

    def make(self, rng: np.random.Generator) -> Paper:
        """Five features, three of them present, each with a weight and a vector of two numbers."""
        here = np.zeros(5, int)
        here[rng.choice(5, 3, replace=False)] = 1
        weights = np.round(rng.normal(0, 0.5, 5), 2)
        vectors = np.round(rng.normal(0, 1, (5, 2)), 1)
        wide = float(weights @ here)
        present = np.flatnonzero(here)
        crossed = float(sum(vectors[i] @ vectors[j] for i, j in combinations(present, 2)))
        squares = float(sum(vectors[i] @ vectors[i] for i in present))
        whole = float(sum(vectors[i] @ vectors[j] for i, j in combinations(range(5), 2)))
        right = {"wide": wide, "crossings": crossed, "chance": _sigmoid(wide + crossed)}
        return Paper(
            data=pl.DataFrame(
                {
                    "feature": [f"f{at}" for at in range(1, 6)],
                    "present": here,
                    "weight": weights,
                    "v1": vectors[:, 0],
                    "v2": vectors[:, 1],
                }
            ),
            right=right,
            mistakes={
                name: {"crossings": value, "chance": _sigmoid(wide + value)}
                for name, value in zip(self.mistakes, (crossed + squares / 2, 2 * crossed, whole), strict=True)
            },
        )


class CorrectTheSampling(Drill):
    """The softmax over a batch, corrected for how often items are sampled into it (Yi et al. 2019)."""

    code = "3.b"
    name = "correct_the_sampling"
    mistakes = ("not corrected", "corrected the wrong way", "logarithm to base ten")

    def make(self, rng: np.random.Generator) -> Paper:
        """Four items of a batch; the first is what the user clicked."""
        scores = np.round(rng.normal(1, 1, 4), 1)
        sampled = np.round(np.exp(rng.uniform(np.log(0.001), np.log(0.2), 4)), 3)

        def first(logits: np.ndarray) -> float:
            weight = np.exp(logits - logits.max())
            return float(weight[0] / weight.sum())

        corrected = scores - np.log(sampled)
        wrong = {
            "not corrected": scores,
            "corrected the wrong way": scores + np.log(sampled),
            "logarithm to base ten": scores - np.log10(sampled),
        }
        return Paper(
            data=pl.DataFrame(
                {"item": ["clicked", "other_1", "other_2", "other_3"], "score": scores, "sampling_probability": sampled}
            ),
            right={"logit": float(corrected[0]), "probability": first(corrected), "uncorrected": first(scores)},
            mistakes={name: {"logit": float(each[0]), "probability": first(each)} for name, each in wrong.items()},
        )


class ReadTheAttention(Drill):
    """The attention of one place of a sequence, as in SASRec: scaled, and blind to what comes later."""

    code = "3.c"
    name = "read_the_attention"
    mistakes = ("not scaled", "future seen", "not normalised")

    def make(self, rng: np.random.Generator) -> Paper:
        """Four items with keys and values; the third one asks."""
        query = np.round(rng.normal(0, 1, 4), 1)
        keys = np.round(rng.normal(0, 1, (4, 4)), 1)
        values = np.round(rng.normal(0, 2, 4), 1)

        def read(scale: float, seen: int) -> dict[str, float | str | list[str]]:
            weight = np.exp(keys[:seen] @ query / scale)
            weight /= weight.sum()
            return {"weight_1": float(weight[0]), "output": float(weight @ values[:seen])}

        raw = keys[:3] @ query / 2
        return Paper(
            data=pl.DataFrame(
                {"item": range(1, 5), **{f"key_{at}": keys[:, at - 1] for at in range(1, 5)}, "value": values}
            ),
            right=read(2.0, 3),
            mistakes={
                "not scaled": read(1.0, 3),
                "future seen": read(2.0, 4),
                "not normalised": {"weight_1": float(raw[0]), "output": float(raw @ values[:3])},
            },
            facts={"query": ", ".join(f"{each:g}" for each in query)},
        )
