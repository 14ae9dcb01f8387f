"""How well the recommenders predict, beside published numbers under the same protocol.

    python benchmarks/bench_quality.py --data ml-1m.zip online_retail.parquet ml-100k.zip

RecBole's protocol: each user's interactions are split 80/10/10 by lot, models learn from the training part alone, and
every item that is neither in the user's training nor in her validation part is ranked at test. ML-1M: ratings from 3,
users and items with 10 or more of them. ML-100K: all ratings. Online Retail: all purchases by known customers. Every
recommender chooses among the same number of settings or fewer, its defaults among them, on the validation part of the
first split; what it chose is used on all splits, and so are the defaults.

Finished steps are kept in ``build/quality.json`` for as long as the code of the models stays the same: a run that was
cut off goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness

METRICS = ("ndcg@10", "recall@10", "mrr@10", "hit_rate@10", "precision@10")
RETAIL = "Online Retail"
STEPS = harness.ROOT / "build" / "quality.json"


def grid(**choices: tuple) -> list[dict[str, Any]]:
    """The defaults, and settings of equal rank: the first of each choice, the second of each, and so on."""
    return [{}, *(dict(zip(choices, values, strict=True)) for values in zip(*choices.values(), strict=True))]


@dataclass(frozen=True)
class Row:
    """A row of the page: a model and the settings that it chooses from on the validation part."""

    model: str
    settings: list[dict[str, Any]]


ROWS = {
    "random": Row("random", [{}]),
    "popular": Row("popular", [{}]),
    "item_knn": Row(
        "item_knn",
        grid(
            neighbors=(250, 50, 100, 100, 250),
            shrinkage=(1.2, 0.0, 0.0, 0.0, 0.0),
            weighting=("none", "none", "none", "bm25", "tf_idf"),
        ),
    ),
    "user_knn": Row(
        "user_knn",
        grid(
            neighbors=(250, 50, 100, 100, 250),
            shrinkage=(0.0, 0.0, 0.0, 0.0, 0.0),
            weighting=("none", "none", "none", "tf_idf", "tf_idf"),
        ),
    ),
    "rp3beta": Row(
        "rp3beta",
        grid(
            alpha=(0.6, 0.8, 1.0, 0.6, 0.7),
            beta=(0.5, 0.3, 0.3, 0.7, 0.6),
            neighbors=(100, 200, 200, 200, 200),
        ),
    ),
    "pure_svd": Row("pure_svd", grid(factors=(16, 32, 64, 128, 256))),
    "bpr": Row(
        "bpr",
        grid(
            learning_rate=(0.1, 0.05, 0.15, 0.2, 0.15),
            l2=(0.01, 0.01, 0.005, 0.01, 0.01),
            epochs=(60, 60, 30, 30, 30),
            negatives=("uniform",) * 4 + ("popular",),
        ),
    ),
    "als": Row("als", grid(unobserved=(0.1, 0.2, 0.1, 0.25, 1.0), l2=(0.01, 0.01, 0.02, 0.01, 0.004))),
    "ease": Row("ease", grid(l2=(100.0, 250.0, 350.0, 700.0, 1000.0))),
    "slim": Row("slim", grid(l1=(0.5, 1.0, 3.0, 2.0, 6.0), l2=(20.0, 100.0, 300.0, 200.0, 1200.0))),
}

RECBOLE = "RecBole's tables"
RECBOLE_RUN = "RecBole 1.2.1, 5 seeds"
RECBOLE_ONE = "RecBole 1.2.1, 1 seed"

# By data set and row of ours, or a row of its own where we have no such model: the model and its setting there, the
# metrics in the order of METRICS, and the source.
PUBLISHED: dict[str, dict[str, tuple[str, tuple[float, ...], str]]] = {
    "ml-1m": {
        "item_knn": ("ItemKNN, k 250, shrink 1.2", (0.2389, 0.1723, 0.4254, 0.7139, 0.1752), RECBOLE),
        "bpr": ("BPR, learning rate 1e-4", (0.2407, 0.1725, 0.4221, 0.7131, 0.1802), RECBOLE),
        "ease": ("EASE, reg 1000", (0.2865, 0.2139, 0.4808, 0.7837, 0.2082), RECBOLE),
        "slim": ("SLIMElastic, α 0.2, l1 0.005", (0.2782, 0.2035, 0.4781, 0.7638, 0.2015), RECBOLE),
        "LightGCN": ("LightGCN, 1 layer", (0.2476, 0.1823, 0.4312, 0.7316, 0.1835), RECBOLE),
        "MultiVAE": ("MultiVAE, learning rate 7e-3", (0.2523, 0.1995, 0.4292, 0.7650, 0.1839), RECBOLE),
        "RecVAE": ("RecVAE, learning rate 7e-4", (0.2795, 0.2163, 0.4632, 0.7877, 0.2033), RECBOLE),
        "ADMM-SLIM": ("ADMM-SLIM, λ1 5, λ2 5000", (0.2904, 0.2134, 0.4900, 0.7804, 0.2106), RECBOLE),
    },
    "ml-100k": {
        "item_knn": ("ItemKNN, k 100", (0.2804, 0.2413, 0.4583, 0.7758, 0.1936), RECBOLE_RUN),
        "bpr": ("BPR", (0.2931, 0.2502, 0.4823, 0.7932, 0.1988), RECBOLE_ONE),
        "ease": ("EASE, reg 250", (0.3253, 0.2775, 0.5187, 0.8150, 0.2195), RECBOLE_RUN),
        "slim": ("SLIMElastic", (0.3235, 0.2750, 0.5231, 0.8123), RECBOLE_ONE),
        "MultiVAE": ("MultiVAE", (0.3001, 0.2598, 0.4951, 0.8038), RECBOLE_ONE),
    },
}

# Rows that stand with the setting of the published one, beside ours with the setting that validation chose.
AS_PUBLISHED = {
    "ml-1m": {
        "item_knn": {"neighbors": 250, "shrinkage": 1.2},
        "ease": {"l2": 1000.0},
        "slim": {"l1": 6.0, "l2": 1200.0},
    },
    "ml-100k": {"item_knn": {"neighbors": 100}, "ease": {"l2": 250.0}},
}

NOTES = """
- The split is drawn anew for each seed; ± is the standard deviation over splits. RecBole drew other splits: a
  difference below two standard deviations says nothing.
- The interval is a bootstrap over the users of one split, with the model as it is: it holds neither the noise of the
  split nor that of the training.
- *As published* has the setting of the published row, or its translation to our units; the others were chosen on the
  validation part of split 1.
- RecBole's tables: `benchmark/hyper/general/` at commit 5ebaece5 of RUCAIBox/RecBole, one split, settings searched.
  RecBole 1.2.1: run on ML-100K under this protocol, the mean of the seeds 2020 to 2024 or seed 2020 alone.
- RecBole's popularity row is left out: it counts an item once a batch (RUCAIBox/RecBole, issue 2198).
""".strip().split("\n")


class Steps:
    """Numbers that were computed before, by what they were computed from."""

    def __init__(self) -> None:
        self.code = harness.code_of("models")
        self.seconds = 0.0
        self.found: dict[str, Any] = {}
        if STEPS.exists():
            kept = json.loads(STEPS.read_text())
            self.found = kept["found"] if kept["code"] == self.code else {}

    def do(self, key: list, work: Any) -> Any:
        name = json.dumps(key)
        if name not in self.found:
            started = time.perf_counter()
            found = work()
            seconds = time.perf_counter() - started
            self.found[name] = {"value": found, "seconds": seconds}
            shown = found if isinstance(found, float) else found["ndcg@10"][0]
            print(f"{name}: {shown:.4f}, {seconds:.1f} s", file=sys.stderr)
            STEPS.parent.mkdir(exist_ok=True)
            STEPS.write_text(json.dumps({"code": self.code, "found": self.found}))
        self.seconds += self.found[name]["seconds"]
        return self.found[name]["value"]


def protocol(file: Path) -> tuple[str, Any]:
    """The name of the protocol of a data set, and the data set as it asks for."""
    from reclens.data.filters import k_core, min_rating
    from reclens.data.read.movielens import read_movielens

    if file.suffix == ".parquet":
        from reclens import read

        columns = {"user_id": "CustomerID", "item_id": "StockCode", "timestamp": "InvoiceDate"}
        return RETAIL, read(file, columns=columns, bad_rows="drop")
    data = read_movielens(file)
    if file.stem == "ml-100k":
        return file.stem, data
    return file.stem, k_core(min_rating(data, 3), users=10, items=10)


def validated(split: Any, row: Row, setting: dict[str, Any]) -> float:
    """NDCG@10 on the validation part of a model that knows the training part alone."""
    from reclens import models
    from reclens.evaluation import evaluate

    lists = models.get(row.model)(**setting).fit(split.train).recommend(split.validation_users, k=10)
    found = evaluate(lists, split.validation, train=split.train, metrics=["ndcg@10"], replicates=0)
    return found["ndcg@10"].overall.value


def tested(split: Any, row: Row, setting: dict[str, Any]) -> dict[str, Any]:
    """All metrics on the test part, with their intervals over users; items of the validation part are left out."""
    import polars as pl

    from reclens import models
    from reclens.evaluation import evaluate

    keys = ["user_id", "item_id"]
    room = split.validation["user_id"].value_counts()["count"].max()
    lists = models.get(row.model)(**setting).fit(split.train).recommend(split.test_users, k=10 + room).table
    lists = lists.join(split.validation, on=keys, how="anti", maintain_order="left")
    lists = lists.with_columns(rank=pl.int_range(1, pl.len() + 1).over("user_id")).filter(pl.col("rank") <= 10)
    found = evaluate(lists, split.test, train=split.train, metrics=list(METRICS))
    return {name: [found[name].overall.value, found[name].overall.low, found[name].overall.high] for name in METRICS}


def measure(file: Path, seeds: int, rows: list[str], steps: Steps) -> dict[str, Any]:
    """Choose on the validation part of the first split, then test on all splits."""
    from reclens.data.split import random

    stem, data = protocol(file)
    splits = [random(data, test_share=0.1, validation_share=0.1, rng=seed) for seed in range(1, seeds + 1)]
    found: dict[str, Any] = {}
    for label in rows:
        row = ROWS[label]
        scores = [
            steps.do([stem, label, setting, "validation"], lambda s=setting, r=row: validated(splits[0], r, s))
            for setting in row.settings
        ]
        chosen = row.settings[scores.index(max(scores))]
        entries = {label: chosen} | ({} if chosen == row.settings[0] else {f"{label}, defaults": row.settings[0]})
        if AS_PUBLISHED.get(stem, {}).get(label, chosen) != chosen:
            entries[f"{label}, as published"] = AS_PUBLISHED[stem][label]
        for name, setting in entries.items():
            tests = [
                steps.do([stem, label, setting, "test", seed], lambda p=split, r=row, s=setting: tested(p, r, s))
                for seed, split in enumerate(splits, 1)
            ]
            found[name] = {"model": label, "setting": setting, "settings_tried": len(row.settings), "tests": tests}
            if name == label:
                found[name]["validation"] = max(scores)
    return {"data": repr(data), "seeds": seeds, "rows": found}


def mean_and_sd(tests: list[dict[str, Any]], metric: str) -> tuple[float, float]:
    values = [test[metric][0] for test in tests]
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else float("nan")


def section(stem: str, found: dict[str, Any]) -> list[str]:
    """The tables of one data set: ours with their noise, the best first, and ours beside what was published."""
    rows, seeds = found["rows"], found["seeds"]
    order = sorted(rows, key=lambda name: -mean_and_sd(rows[name]["tests"], "ndcg@10")[0])
    lines = [
        f"## {stem}",
        "",
        f"{found['data']}; {seeds} splits.",
        "",
        "| | setting | NDCG@10, mean ± sd of splits | 95 % over users, split 1 | published | difference |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for name in order:
        mean, sd = mean_and_sd(rows[name]["tests"], "ndcg@10")
        _, low, high = rows[name]["tests"][0]["ndcg@10"]
        published = PUBLISHED.get(stem, {}).get(rows[name]["model"])
        beside = f"{published[1][0]:.4f} | {mean - published[1][0]:+.4f}" if published else "– | –"
        setting = ", ".join(f"{key}={value}" for key, value in rows[name]["setting"].items()) or "defaults"
        lines.append(f"| {name} | {setting} | {mean:.4f} ± {sd:.4f} | {low:.4f} – {high:.4f} | {beside} |")
    lines += ["", "| | " + " | ".join(METRICS) + " | source |", "|---|" + "--:|" * len(METRICS) + "---|"]
    for name in order:
        values = " | ".join(f"{mean_and_sd(rows[name]['tests'], metric)[0]:.4f}" for metric in METRICS)
        lines.append(f"| **{name}** | {values} | ours, mean of {seeds} splits |")
        published = PUBLISHED.get(stem, {}).get(name)
        lines += [published_row(published)] if published else []
    theirs = PUBLISHED.get(stem, {})
    others = sorted((label for label in theirs if label not in rows), key=lambda label: -theirs[label][1][0])
    lines += [published_row(theirs[label]) for label in others]
    return [*lines, ""]


def published_row(row: tuple[str, tuple[float, ...], str]) -> str:
    title, values, source = row
    cells = [f"{value:.4f}" for value in values] + ["–"] * (len(METRICS) - len(values))
    return f"| {title} | {' | '.join(cells)} | {source} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="ml-1m.zip, ml-100k.zip, online_retail.parquet"
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rows", nargs="*", default=list(ROWS), choices=list(ROWS))
    options = parser.parse_args()
    steps, about = Steps(), harness.machine()
    found = {protocol(file)[0]: measure(file, options.seeds, options.rows, steps) for file in options.data}
    took = f"in {steps.seconds / 60:.0f} minutes"
    lines = [
        "# Quality",
        "",
        f"Computed {took} on {harness.describe(about)}.",
        "",
        *__doc__.split("\n\n")[2].replace("\n", " ").split("\n"),
        "",
    ]
    for stem, one in found.items():
        lines += section(stem, one)
    lines += NOTES
    harness.write("quality", lines, {"machine": about, "protocol": __doc__, "quality": found})


if __name__ == "__main__":
    main()
