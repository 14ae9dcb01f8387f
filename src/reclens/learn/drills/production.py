"""Drills of phase 5: what an approximate index of vectors finds."""

from __future__ import annotations

import numpy as np
import polars as pl

from reclens.learn.drill import Drill, Paper

__all__ = ["VectorRecall"]


class VectorRecall(Drill):
    """The recall of an index against exact neighbours by cosine."""

    code = "5.b"
    name = "vector_recall"
    mistakes = ("dot product", "distance", "any found counts as all")

    def make(self, rng: np.random.Generator) -> Paper:
        """Ten vectors of very different lengths, a query, and what an index answered."""
        vectors = np.round(rng.normal(0, 1, (10, 3)) * np.exp(rng.normal(0, 0.8, (10, 1))), 2)
        query = np.round(rng.normal(0, 1, 3), 2)
        names = [f"item_{at}" for at in range(10)]
        lengths = np.maximum(np.linalg.norm(vectors, axis=1), 1e-9)

        def first(scores: np.ndarray) -> list[str]:
            return sorted(names[at] for at in np.argsort(-scores)[:3])

        exact = first(vectors @ query / lengths)
        found = [*exact[:2], next(name for name in rng.permutation(names).tolist() if name not in exact)]
        if rng.random() < 0.5:
            found = [exact[0], *[name for name in rng.permutation(names).tolist() if name not in exact][:2]]

        def recall(wanted: list[str]) -> float:
            return len({*wanted} & {*found}) / 3

        wrong = {"dot product": first(vectors @ query), "distance": first(-np.linalg.norm(vectors - query, axis=1))}
        return Paper(
            data=pl.DataFrame(
                {
                    "item": names,
                    "x": vectors[:, 0],
                    "y": vectors[:, 1],
                    "z": vectors[:, 2],
                    "found_by_index": [name in found for name in names],
                }
            ),
            right={"nearest": exact, "recall": recall(exact)},
            mistakes={
                **{name: {"nearest": each, "recall": recall(each)} for name, each in wrong.items()},
                "any found counts as all": {"recall": 1.0},
            },
            facts={"query": ", ".join(f"{each:g}" for each in query)},
        )
