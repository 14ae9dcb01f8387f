"""How cost grows with users, items, length of lists, segments and replicates: seconds of the processor, and exponents.

    python benchmarks/bench_growth.py            # about four minutes; writes docs/images/growth.svg too
    python benchmarks/bench_growth.py --only world

Each path starts from one size, and one dimension at a time is doubled. The exponent is the slope of the logarithm of
the time over the three largest sizes: 1 is linear, and below 1 there is a part that does not grow.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness
import numpy as np
import polars as pl
from hot_paths import METRICS, systems

import reclens as rl


@dataclass(frozen=True)
class Size:
    """The size of a task."""

    users: int = 20_000
    items: int = 20_000
    length: int = 50
    segments: int = 8
    replicates: int = 500


def tables(size: Size) -> tuple[pl.DataFrame, pl.DataFrame, rl.Dataset]:
    """Lists without an item twice, ten relevant items a user, and training data with a segmentation."""
    users, places = np.arange(size.users), np.arange(size.length)
    first = np.random.default_rng(0).integers(0, size.items, size.users)[:, None]
    step = next(step for step in (257, 263, 269) if size.items % step)
    listed = (first + places * step) % size.items
    lists = pl.DataFrame(
        {"user_id": users.repeat(size.length), "item_id": listed.ravel(), "rank": np.tile(places + 1, size.users)}
    )
    liked = np.hstack([listed[:, [0, 6]], (first + 1 + np.arange(8) * step) % size.items])
    truth = pl.DataFrame({"user_id": users.repeat(10), "item_id": liked.ravel()})
    segments = pl.DataFrame({"user_id": users, "group": (users % size.segments).astype(str)})
    return lists, truth, rl.Dataset(truth.with_columns(pl.col("item_id") + 1), users=segments)


def evaluation(size: Size) -> Callable[[], Any]:
    """Five metrics with intervals by segment."""
    lists, truth, train = tables(size)
    return lambda: rl.evaluate(
        lists, truth, train=train, metrics=METRICS, by="group", replicates=size.replicates, name="a"
    )


def comparison(size: Size) -> Callable[[], Any]:
    """Two systems by five metrics in three segmentations, with as many sign flips as replicates."""
    results = systems(size.users, 2, size.segments)
    return lambda: rl.compare(results, baseline="s0", flips=size.replicates)


def audit(size: Size) -> Callable[[], Any]:
    """Every measure of an audit of lists of ten."""
    lists, truth, train = tables(replace(size, length=10))
    items = pl.DataFrame({"item_id": np.arange(size.items), "brand": [f"b{item % 10}" for item in range(size.items)]})
    whole = replace(train, items=items)
    return lambda: rl.audit.run(lists, truth, train=whole, by="group", attributes=["brand"])


def neighbours(model: Callable[[], Any]) -> Callable[[Size], Callable[[], Any]]:
    """Fit and top 10 of every user, with 100 interactions each."""

    def make(size: Size) -> Callable[[], Any]:
        rng = np.random.default_rng(0)
        drawn = (size.items * rng.random((size.users, 100)) ** 2).astype(np.int64)
        frame = pl.DataFrame({"user_id": np.arange(size.users).repeat(100), "item_id": drawn.ravel()})
        data = frame.unique(maintain_order=True)
        return lambda: model().fit(rl.Dataset(data)).recommend(k=10)

    return make


def world(size: Size) -> Callable[[], Any]:
    """Three days of a simulated A/B test in which everybody comes every day."""
    from reclens.world.policy import Policy
    from reclens.world.population import draw_world
    from reclens.world.settings import preset
    from reclens.world.simulation import Arm, simulate
    from reclens.world.strategies import Popular

    daily: dict[str, Any] = dict.fromkeys(("visit_spread", "new_share", "more", "return_effect"), 0.0)
    drawn = draw_world(preset("large", users=size.users, light_visits=0.9999, heavy_visits=0.9999, **daily))
    arms = [Arm(name="a", strategy=Popular()), Arm(name="b", strategy=Popular(name="b"), policy=Policy(kind="softmax"))]
    return lambda: simulate(drawn, arms, days=3)


DOUBLED: Final = (1, 2, 4, 8)
Grown = dict[str, Sequence[int]]
PATHS: Final[dict[str, tuple[Callable[[Size], Callable[[], Any]], Size, Grown]]] = {
    "metrics with intervals": (
        evaluation,
        Size(),
        {
            "users": [20_000 * by for by in DOUBLED],
            "items": [20_000 * by**2 for by in DOUBLED],
            "length": [50 * by for by in DOUBLED],
            "segments": [8 * by**2 for by in DOUBLED],
            "replicates": [500 * by for by in DOUBLED],
        },
    ),
    "comparison of two systems": (
        comparison,
        Size(users=5000, segments=3, replicates=2500),
        {
            "users": [5000 * by for by in DOUBLED],
            "segments": [3 * by**2 for by in DOUBLED[:3]],
            "replicates": [2500 * by for by in DOUBLED],
        },
    ),
    "audit": (
        audit,
        Size(items=5000),
        {"users": [20_000 * by for by in DOUBLED], "segments": [8 * by for by in DOUBLED[:3]]},
    ),
    "item-kNN": (
        neighbours(lambda: rl.models.ItemKNN(neighbors=100, neighbors_of="history")),
        Size(users=4000, items=2000),
        {"users": [4000 * by for by in DOUBLED], "items": [2000 * by for by in DOUBLED]},
    ),
    "user-kNN": (
        neighbours(lambda: rl.models.UserKNN(neighbors=100)),
        Size(users=2000, items=4000),
        {"users": [2000 * by for by in DOUBLED], "items": [4000 * by for by in DOUBLED]},
    ),
    "simulated world": (world, Size(users=20_000), {"users": [20_000, 50_000, 100_000, 200_000]}),
}
"""Name -> how a task of a size is made, the size it starts from, and the sizes of each dimension that grows."""


def seconds(step: Callable[[], Any], turns: int) -> float:
    """Seconds of the processor, the fewest of some turns after a first one."""
    step()
    found = []
    for _ in range(turns):
        began = time.process_time()
        step()
        found.append(time.process_time() - began)
    return min(found)


def exponent(sizes: Sequence[int], taken: Sequence[float]) -> float:
    """Slope of the logarithms over the three largest sizes."""
    return float(np.polyfit(np.log(sizes[-3:]), np.log(taken[-3:]), 1)[0])


def draw(rows: list[dict[str, Any]], file: Path) -> None:
    """A panel a dimension, a line a path, both axes logarithmic."""
    import altair as alt

    from reclens.report._toolkit.charts import THEME

    names = list(PATHS)
    axes: dict[str, Any] = {
        "scale": alt.Scale(type="log", nice=False),
        "axis": alt.Axis(format="~s", tickCount=4, labelOverlap=True),
    }
    colour = alt.Color("path:N", sort=names, scale=alt.Scale(domain=names, range=THEME["light"][: len(names)]))
    whole = (
        alt.Chart(pl.DataFrame(rows))
        .mark_line(point=True)
        .encode(
            alt.X("size:Q", title=None, **axes),
            alt.Y(
                "seconds:Q",
                title="CPU seconds",
                **(axes | {"axis": alt.Axis(format="~g", tickCount=4, labelOverlap=True)}),
            ),
            colour.title(None).legend(orient="bottom", columns=3, columnPadding=30),
        )
        .properties(width=190, height=170)
        .facet(
            alt.Facet("dimension:N", title=None, sort=["users", "items", "length", "segments", "replicates"]), columns=3
        )
        .resolve_scale(x="independent")
        .configure(background="white", font="sans-serif")
    )
    whole.save(file)


def main() -> None:
    """Measure, print, and write ``results/growth.json``, ``results/growth.md`` and the chart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--only", nargs="*", choices=list(PATHS))
    asked = parser.parse_args()
    rows: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for name in asked.only or PATHS:
        make, start, grown = PATHS[name]
        for dimension, sizes in grown.items():
            taken = [seconds(make(replace(start, **{dimension: size})), asked.turns) for size in sizes]
            print(name, dimension, sizes, taken, file=sys.stderr)
            for size, time_taken in zip(sizes, taken, strict=True):
                rows.append({"path": name, "dimension": dimension, "size": size, "seconds": time_taken})
            slope = exponent(sizes, taken)
            found.append({"path": name, "dimension": dimension, "sizes": sizes, "seconds": taken, "exponent": slope})
    about = harness.machine()
    lines = ["# How cost grows", "", f"Measured on {harness.describe(about)}: seconds of the processor.", ""]
    lines += ["| path | grows | from – to | seconds | exponent |", "|---|---|---|---|--:|"]
    for row in found:
        first, last = row["sizes"][0], row["sizes"][-1]
        times = ", ".join(f"{value:.2f}" for value in row["seconds"])
        lines.append(f"| {row['path']} | {row['dimension']} | {first:,} – {last:,} | {times} | {row['exponent']:.2f} |")
    harness.write("growth", lines, {"machine": about, "growth": found})
    draw(rows, harness.RESULTS / "growth.svg" if asked.only else harness.ROOT / "docs" / "images" / "growth.svg")


if __name__ == "__main__":
    main()
