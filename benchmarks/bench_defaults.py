"""What the recommenders reach with their defaults, and with the fixed ones that they had before.

    python benchmarks/bench_defaults.py --movielens ml-1m.zip --retail online_retail.parquet

MovieLens 1M: ratings from 3, users and items with 10 or more, 80/20 by lot. Online Retail: each user's last event, new
items alone; and the last 15 % of the time. NDCG@10 on the test part, full ranking, with 95 % intervals over users. The
rules were chosen on other seeds, and on the validation parts that come before these test parts.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness

BEFORE: dict[str, dict[str, Any]] = {
    "popular": {},
    "item_knn": {"shrinkage": 0.0},
    "user_knn": {"shrinkage": 0.0},
    "rp3beta": {"alpha": 0.8, "shrinkage": 0.0},
    "pure_svd": {},
    "ease": {"l2": 300.0},
    "slim": {"l1": 3.0, "l2": 300.0},
    "als": {"unobserved": 0.5, "l2": 0.006},
    "bpr": {"epochs": 30},
}
SEED = 1000


def splits(movielens: Path, retail: Path) -> dict[str, Any]:
    """The splits by title."""
    from reclens import read
    from reclens.data.filters import k_core, min_rating
    from reclens.data.read.movielens import read_movielens
    from reclens.data.split import by_time, last_n, random

    films = k_core(min_rating(read_movielens(movielens), 3), users=10, items=10)
    columns = {"user_id": "CustomerID", "item_id": "StockCode", "timestamp": "InvoiceDate"}
    shop = read(retail, columns=columns, bad_rows="drop")
    return {
        "MovieLens 1M, by lot": random(films, test_share=0.2, rng=SEED),
        "Online Retail, last event": last_n(shop, n=1, rng=SEED),
        "Online Retail, by time": by_time(shop, test_share=0.15),
    }


def measured(split: Any, model: Any) -> str:
    """NDCG@10 and its interval."""
    from reclens.evaluation import evaluate

    lists = model.fit(split.train).recommend(split.test_users, k=10)
    found = evaluate(lists, split.test, train=split.train, metrics=["ndcg@10"])["ndcg@10"].overall
    return f"{found.value:.4f} [{found.low:.4f}, {found.high:.4f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--movielens", type=Path, required=True)
    parser.add_argument("--retail", type=Path, required=True)
    options = parser.parse_args()
    from reclens import models

    warnings.simplefilter("ignore", models.FitWarning)
    about = harness.machine()
    lines = [
        "# Defaults",
        "",
        f"Computed on {harness.describe(about)}.",
        "",
        *__doc__.split("\n\n")[2].replace("\n", " ").split("\n"),
        "",
    ]
    found: dict[str, Any] = {}
    for title, split in splits(options.movielens, options.retail).items():
        rows = len(split.train.interactions)
        lines += [
            f"## {title}",
            "",
            f"{rows:,} interactions to learn from, {len(split.test_users):,} test users.",
            "",
            "| | before | now | values by rule | problems |",
            "|---|--:|--:|---|---|",
        ]
        for name, old in BEFORE.items():
            before, model = measured(split, models.get(name)(**old)), models.get(name)()
            now = measured(split, model)
            by_rule = ", ".join(f"{key} {value:.4g}" for key, value in model.resolved_.items()) or "–"
            problems = ", ".join(problem.code for problem in model.problems_) or "–"
            lines.append(f"| {name} | {before} | {now} | {by_rule} | {problems} |")
            found.setdefault(title, {})[name] = {"before": before, "now": now, "by_rule": model.resolved_}
            print(lines[-1], file=sys.stderr, flush=True)
        lines.append("")
    harness.write("defaults", lines, {"machine": about, "protocol": __doc__, "defaults": found})


if __name__ == "__main__":
    main()
