"""Drills of phase 5: a daily run that fails, and what an approximate index of vectors finds."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from reclens.learn.drill import Drill, Paper

__all__ = ["ReadTheRun", "VectorRecall"]


class ReadTheRun(Drill):
    """A nightly run of eight tasks, one of which fails: what ran, what waits, and what has to run again."""

    code = "5.a"
    name = "read_the_run"
    mistakes = (
        "children alone wait",
        "what is beside it waits too",
        "data of the day of the run",
        "retries not counted",
    )

    def make(self, rng: np.random.Generator) -> Paper:
        """Tasks in an order that runs, each with up to two before it; one fails beyond its retries."""
        names = [f"stg_{at}" for at in "abc"] + [f"int_{at}" for at in "abc"] + ["mart_daily", "mart_weekly"]
        before: dict[str, list[str]] = {name: [] for name in names}
        for at, name in enumerate(names[3:], 3):
            before[name] = sorted(rng.choice(names[: min(at, 6)], int(rng.integers(1, 3)), replace=False).tolist())
        retries = int(rng.integers(1, 4))
        failed = str(rng.choice(names[:5]))
        flaky = str(rng.choice([name for name in names[:3] if name != failed]))
        waits = [name for name in names if failed in _all_before(name, before)]
        children = [name for name in names if failed in before[name]]
        ran = [name for name in names if name != failed and name not in waits]
        started = date(2026, 5, 4) + timedelta(int(rng.integers(20)))
        attempts = len(ran) + 1 + retries + (flaky in ran)
        rows = [
            (name, " ".join(before[name]), "always" if name == failed else "once" if name == flaky else "never")
            for name in names
        ]
        return Paper(
            data=pl.DataFrame(rows, schema=["task", "upstream", "fails"], orient="row"),
            right={
                "succeeded": ran,
                "upstream_failed": waits,
                "run_again": [failed, *waits],
                "attempts": attempts,
                "data_day": str(started - timedelta(1)),
            },
            mistakes={
                "children alone wait": {"upstream_failed": children, "run_again": [failed, *children]},
                "what is beside it waits too": {"succeeded": [name for name in ran if not before[name]]},
                "data of the day of the run": {"data_day": str(started)},
                "retries not counted": {"attempts": len(ran) + 1},
            },
            facts={"retries": retries, "started": str(started)},
        )


def _all_before(name: str, before: dict[str, list[str]]) -> set[str]:
    """Everything that has to succeed ahead of a task."""
    return {each for one in before[name] for each in (one, *_all_before(one, before))}


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
