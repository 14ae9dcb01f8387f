"""The page of published differences, from the committed results of ``bench_deep.py`` and ``bench_clicks.py``.

python benchmarks/deep_page.py            # writes docs/published-differences.md
"""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
PAGE = FOLDER.parent / "docs" / "published-differences.md"
USERS = 6_040
PUBLISHED: dict[str, dict[str, tuple[float, str]]] = {
    "A": {
        "SASRec, binary cross-entropy": (0.2500, "Klenitskiy and Vasilev 2023"),
        "GRU4Rec": (0.2811, "Klenitskiy and Vasilev 2023"),
        "BERT4Rec": (0.2843, "Klenitskiy and Vasilev 2023"),
        "gSASRec": (0.3003, "Petrov and Macdonald 2023"),
        "SASRec, full cross-entropy": (0.3152, "Klenitskiy and Vasilev 2023"),
    },
    "B": {
        "SASRec, sampled softmax": (0.2929, "Tikhonovich et al. 2025"),
        "HSTU, no time": (0.3023, "RecTools"),
        "eSASRec": (0.3133, "Tikhonovich et al. 2025"),
        "HSTU, time of the target": (0.3227, "RecTools"),
    },
}
"""File -> model -> HR@10 over all items, leave-one-out."""


def unpaired() -> list[dict[str, Any]]:
    """Every pair of published rows on the same file: the test that knows of each row its share alone."""
    rows = []
    for file, models in PUBLISHED.items():
        for (one, (p, _)), (other, (q, _)) in itertools.combinations(models.items(), 2):
            error = math.sqrt((p * (1 - p) + q * (1 - q)) / USERS)
            rows.append({"file": file, "one": one, "other": other, "gap": q - p, "error": error})
            rows[-1]["p"] = math.erfc(abs(q - p) / error / math.sqrt(2))
    rows.sort(key=lambda row: row["p"])
    worst = 0.0
    for at, row in enumerate(rows):  # Holm
        worst = max(worst, min(1.0, (len(rows) - at) * row["p"]))
        row["adjusted"] = worst
    return rows


def share(value: float, *, signed: bool = False) -> str:
    text = f"{value:+.4f}" if signed else f"{value:.4f}"
    return text.replace("0.", ".", 1)


def chance(p: float) -> str:
    return "< .001" if p < 0.001 else f"{p:.3f}".replace("0.", ".", 1)


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in (heads, ("---",) * len(heads), *rows)]


def metric(about: dict[str, Any], name: str) -> str:
    row = next(each for each in about["metrics"] if each["metric"] == name)
    return f"{share(row['value'])} [{share(row['low'])}, {share(row['high'])}]"


def read() -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """The runs, the tests of their pairs, and the models of clicks."""
    place = FOLDER / "results"
    runs = {path.stem: json.loads(path.read_text()) for path in sorted((place / "deep").glob("*.json"))}
    clicks = [json.loads(line) for line in (place / "clicks.jsonl").read_text().splitlines()]
    return runs, runs.pop("pairs", []), clicks  # type: ignore[return-value]


def page() -> str:
    """The page as Markdown."""
    runs, pairs, clicks = read()
    published = unpaired()
    told = [row for row in published if row["adjusted"] < 0.05]
    least = 1.96 * max(row["error"] for row in published)
    lines = [
        "# Which published differences are real",
        "",
        "No published table of sequential recommenders has intervals. On MovieLens 1M, with the last event of each of",
        f"{USERS:,} users held out, an HR@10 of .30 carries ± .012 by itself. This page says which differences of",
        "published rows exceed what the users alone explain, which runs of this library finished, and what paired",
        "tests say of them.",
        "",
        "## Published rows, without their lists",
        "",
        "Two published shares can be tested as if they came from different users. They come from the same users, whose",
        "hits go together, so that this test finds too few differences rather than too many. It knows nothing of",
        f"seeds, epochs or choices of settings. A difference of less than about {share(least)} is within its noise.",
        f"Of {len(published)} pairs of rows on the same file (A: 3,416 items, B: 3,706), {len(told)} are told apart",
        "after Holm's correction.",
        "",
        *table(
            ("file", "rows", "HR@10", "difference", "adjusted p", "told apart"),
            [
                (
                    row["file"],
                    f"{row['other']} – {row['one']}",
                    " – ".join(share(PUBLISHED[row["file"]][row[name]][0]) for name in ("other", "one")),
                    share(row["gap"], signed=True),
                    chance(row["adjusted"]),
                    "yes" if row["adjusted"] < 0.05 else "no",
                )
                for row in published
            ],
        ),
        "",
        "Rows of different files are not compared: they have other items and, by another sort of equal times, other",
        "held-out events. HSTU with the time of the target is told something that the others are not.",
        "",
        "## Runs that finished",
        "",
        *_runs(runs),
        "",
        "## Paired tests",
        "",
        *_pairs(pairs),
        "",
        "## Models of clicks",
        "",
        *_clicks(clicks),
        "",
        "## What did not run",
        "",
        *_missing(runs, clicks),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _runs(runs: dict[str, dict[str, Any]]) -> list[str]:
    rows = []
    for name, about in runs.items():
        options = about["options"]
        if "epochs" in about:
            how = f"length {options['max_length']}, d {options['factors']}, best of {about['epochs']} epochs"
            how += f", patience {options['patience']}"
        else:
            how = ", ".join(f"{key} {value:g}" for key, value in options.items()) or "–"
        goal = "–" if about["published"] is None else " / ".join(share(each) for each in about["published"])
        cpu = f"{about['cpu_seconds']:,.0f}"
        rows.append((f"`{name}`", how, metric(about, "hit_rate@10"), metric(about, "ndcg@10"), goal, cpu))
    heads = ("run", "setting", "HR@10", "NDCG@10", "published, at length 200", "CPU s")
    return [
        "File A, leave-one-out, all items ranked that the user did not have, intervals over users, one seed (0). Runs",
        "called `_short` read the last 50 events of a user in place of 200, and stop where the validation NDCG@10",
        "was not better for so many epochs as their patience says: they are no replication, and lie below what is",
        "published for the full length. They were trained on one thread of a machine with two cores under heavy load.",
        "",
        *table(heads, rows),
    ]


def _pairs(pairs: list[dict[str, Any]]) -> list[str]:
    rows = [
        (
            f"`{row['system']}` – `{row['baseline']}`",
            row["metric"],
            "{} [{}, {}]".format(*(share(row[name], signed=True) for name in ("difference", "low", "high"))),
            chance(row["p_holm"]),
            "yes" if row["p_holm"] < 0.05 else "no",
        )
        for row in pairs
    ]
    return [
        "Every pair of these runs, user by user: the paired bootstrap (Tango's interval for hits) and the paired",
        "randomisation test, corrected by Holm over all pairs of a metric.",
        "",
        *table(("pair", "metric", "difference", "adjusted p", "real"), rows),
    ]


def _clicks(clicks: list[dict[str, Any]]) -> list[str]:
    rows = [
        (
            f"`{row['model']}`",
            _area(row["auc"]),
            _area(row["log_loss"]),
            " / ".join(share(each) for each in row["published"]),
            f"{row['seed']}",
            f"{row['best_epoch']} of {row['epochs']}",
            f"{row['cpu_seconds']:,.0f}",
        )
        for row in clicks
    ]
    heads = ("model", "AUC", "log loss", "RecBole", "seed", "epoch kept", "CPU s")
    return [
        "MovieLens 1M in RecBole's protocol: ratings of 3 are dropped, those of 4 and 5 positives, 739,012 rows are",
        "split 8:1:1 by lot. Intervals over users.",
        "",
        *table(heads, rows),
        "",
        *(_holds(clicks, metric, at) for at, metric in enumerate(("auc", "log_loss"))),
    ]


def _holds(clicks: list[dict[str, Any]], metric: str, at: int) -> str:
    """Which intervals hold the published value, which has none."""
    apart = [
        f"`{row['model']}`" for row in clicks if not row[metric]["low"] <= row["published"][at] <= row[metric]["high"]
    ]
    called = {"auc": "AUC", "log_loss": "log loss"}[metric]
    but = f", except that of {', '.join(apart)}" if apart else ""
    return f"The interval of each {called} holds the published value{but}."


def _area(found: dict[str, float]) -> str:
    return f"{share(found['value'])} [{share(found['low'])}, {share(found['high'])}]"


def _missing(runs: dict[str, dict[str, Any]], clicks: list[dict[str, Any]]) -> list[str]:
    every = ("sasrec_bce", "sasrec_ss", "sasrec_ce", "esasrec", "gsasrec", "gru4rec", "bert4rec", "hstu", "hstu_target")
    absent = [f"`{name}`" for name in every if name not in runs]
    of_clicks = [f"`{name}`" for name in ("fm", "wide_deep", "deep_fm") if name not in {row["model"] for row in clicks}]
    lines = [f"At the published length of 200: {', '.join(absent)}."] if absent else []
    short = [f"`{name}`" for name in every if f"{name}_short" not in runs and name not in runs]
    lines += [f"At any length: {', '.join(short)}."] if short else []
    lines += [f"Of the models of clicks: {', '.join(of_clicks)}."] if of_clicks else []
    lines += ["Nothing on a GPU. Speed beside RecTools and RecBole: [Deep models](deep.md)."]
    return [*lines, "", "`benchmarks/bench_deep.py` goes on from its checkpoints, and writes this page anew."]


def write() -> None:
    PAGE.write_text(page())
    print(f"wrote {PAGE.name}")


if __name__ == "__main__":
    write()
