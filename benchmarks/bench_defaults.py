"""What the recommenders reach with their defaults, and with the fixed ones that they had before.

    python benchmarks/bench_defaults.py --data ml-100k.zip ml-1m.zip online_retail.parquet

MovieLens 100K: all ratings. MovieLens 1M: ratings from 3, users and items with 10 or more. Online Retail: purchases,
new items alone. Catalogues: drawn, 10 to 100 interactions a user. Splits: 80/20 by lot of each user's interactions;
each user's last event; the last 15 or 20 % of the time. NDCG@10 on the test part, full ranking. The rules were chosen
on other seeds, and on the validation parts that come before these test parts.

Finished splits are kept in ``build/defaults.json`` for as long as the code of the models stays the same.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness

BEFORE: dict[str, dict[str, Any]] = {
    "popular": {},
    "item_knn": {"shrinkage": 0.0},
    "user_knn": {"shrinkage": 0.0},
    "rp3beta": {"alpha": 0.8, "shrinkage": 0.0},
    "pure_svd": {"factors": 32},
    "ease": {"l2": 300.0},
    "slim": {"l1": 3.0, "l2": 300.0},
    "als": {"unobserved": 0.5, "l2": 0.006},
    "bpr": {"epochs": 30},
}
STEPS = harness.ROOT / "build" / "defaults.json"
SEEDS = (1000, 1001, 1002)
LOST = 0.005
"""A mean that is lower than before by more than this share of it is listed."""


def films(file: Path) -> Any:
    from reclens.data.filters import k_core, min_rating
    from reclens.data.read.movielens import read_movielens

    data = read_movielens(file)
    return data if file.stem == "ml-100k" else k_core(min_rating(data, 3), users=10, items=10)


def retail(file: Path) -> Any:
    from reclens import read

    columns = {"user_id": "CustomerID", "item_id": "StockCode", "timestamp": "InvoiceDate"}
    return read(file, columns=columns, bad_rows="drop")


def catalogue(users: int, items: int, history: float, seed: int) -> Any:
    import polars as pl

    from reclens.data.dataset import Dataset
    from reclens.world.population import draw_world
    from reclens.world.settings import WorldSettings

    about = {"browse": 100, "factors": 24, "topics": 100, "taste_spread": 2.0, "appeal_spread": 1.0}
    settings = WorldSettings(users=users, items=items, history=history, new_share=0, births=0, **about)
    who, what, _ = draw_world(settings, seed=seed).history
    return Dataset(pl.DataFrame({"user_id": who, "item_id": what}).unique(maintain_order=True))


def splits(files: list[Path]) -> dict[str, list[Callable[[], Any]]]:
    """The splits of each section, made when they are called."""
    from reclens.data.split import by_time, last_n, random

    found: dict[str, list[Callable[[], Any]]] = {}
    for file in files:
        data, share = (retail(file), 0.15) if file.suffix == ".parquet" else (films(file), 0.2)
        title = {"ml-100k": "MovieLens 100K", "ml-1m": "MovieLens 1M"}.get(file.stem, "Online Retail")
        seeds = SEEDS[:1] if title == "MovieLens 1M" else SEEDS
        found[f"{title}, by lot"] = [
            lambda seed=seed, data=data: random(data, test_share=0.2, rng=seed) for seed in seeds
        ]
        found[f"{title}, last event"] = [lambda data=data: last_n(data, n=1, rng=SEEDS[0])]
        found[f"{title}, by time"] = [lambda data=data, share=share: by_time(data, test_share=share)]
    for users, items, history in ((4_500, 3_000, 9.5), (4_500, 3_000, 30.0), (3_000, 1_500, 100.0)):
        title = f"Drawn catalogue, {users:,} users, {items:,} items, about {history:g} events a user, last event"
        found[title] = [
            lambda seed=seed, size=(users, items, history): last_n(catalogue(*size, seed), n=1, ties="order")
            for seed in SEEDS[:2]
        ]
    return found


def measured(split: Any, name: str) -> dict[str, Any]:
    """NDCG@10 with the former defaults and with those of now, what the rules gave, and what the fit says."""
    from reclens import models
    from reclens.evaluation import evaluate

    found: dict[str, Any] = {}
    for when, settings in (("before", BEFORE[name]), ("now", {})):
        model = models.get(name)(**settings).fit(split.train)
        lists = model.recommend(split.test_users, k=10)
        metric = evaluate(lists, split.test, train=split.train, metrics=["ndcg@10"])["ndcg@10"].overall
        found[when] = {"value": metric.value, "low": metric.low, "high": metric.high}
        found["by_rule"], found["problems"] = model.resolved_, [problem.code for problem in model.problems_]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    from reclens import models

    warnings.simplefilter("ignore", models.FitWarning)
    code = harness.code_of("models")
    kept = json.loads(STEPS.read_text()) if STEPS.exists() else {}
    done: dict[str, Any] = kept["found"] if kept.get("code") == code else {}
    for title, makers in splits(options.data).items():
        for number, make in enumerate(makers):
            wanted = [name for name in BEFORE if f"{title}/{number}/{name}" not in done]
            split = make() if wanted else None
            for name in wanted:
                row = measured(split, name)
                row |= {"rows": split.train.interactions.height, "users": len(split.test_users)}
                done[f"{title}/{number}/{name}"] = row
                print(title, number, name, row["before"]["value"], row["now"]["value"], file=sys.stderr, flush=True)
                STEPS.parent.mkdir(exist_ok=True)
                STEPS.write_text(json.dumps({"code": code, "found": done}))
    about = harness.machine()
    harness.write("defaults", page(about, done), {"machine": about, "protocol": __doc__, "defaults": done})


def page(about: dict[str, Any], done: dict[str, Any]) -> list[str]:
    """The tables, and what lost."""
    protocol = (__doc__ or "").split("\n\n")[2].replace("\n", " ")
    lines = ["# Defaults", "", f"Computed on {harness.describe(about)}.", "", protocol, ""]
    sections: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for key, row in done.items():
        title, _, name = key.split("/")
        sections.setdefault(title, {}).setdefault(name, []).append(row)
    lost: list[str] = []
    for title, rows in sections.items():
        first = next(iter(rows.values()))
        sizes = f"{first[0]['rows']:,} interactions to learn from, {first[0]['users']:,} test users"
        lines += [f"## {title}", "", f"{sizes}; {len(first)} {'splits, means' if len(first) > 1 else 'split'}.", ""]
        lines += ["| | before | now | change | 95 % over users, split 1 | values by rule, split 1 | problems |"]
        lines += ["|---|--:|--:|--:|--:|---|---|"]
        for name, each in rows.items():
            before, now = (statistics.mean(row[when]["value"] for row in each) for when in ("before", "now"))
            change = now / before - 1
            by_rule = ", ".join(f"{key} {value:.4g}" for key, value in each[0]["by_rule"].items()) or "–"
            problems = ", ".join(sorted({code for row in each for code in row["problems"]})) or "–"
            span = f"{each[0]['now']['low']:.4f} – {each[0]['now']['high']:.4f}"
            lines.append(f"| {name} | {before:.4f} | {now:.4f} | {change:+.1%} | {span} | {by_rule} | {problems} |")
            if change < -LOST:
                lost.append(f"- {name}, {title}: {change:.1%}")
        lines.append("")
    return [*lines, f"## Lower than before by more than {LOST:.1%}", "", *(lost or ["None."]), ""]


if __name__ == "__main__":
    main()
