"""Small synthetic files of every kind that a command reads, to try the examples of the documentation on."""

from __future__ import annotations

import io
import tomllib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from reclens.data.origin import MADE_UP
from reclens.errors import WorkspaceError
from reclens.files import made_folder, write_bytes

if TYPE_CHECKING:
    import polars as pl

__all__ = ["SAMPLES", "write_samples"]

SAMPLES: Final = {
    "ratings.csv": "every rating: user_id, item_id, rating, timestamp",
    "train.csv": "the ratings that models may learn from",
    "truth.csv": "the last five of each user, which lists have to find",
    "users.csv": "age, gender and occupation of the users",
    "items.csv": "title, genres and year of the items",
    "lists.csv": "twenty items for each user, by item-kNN",
    "theirs.csv": "lists of another team, who has users that are not in the data",
    "today.csv": "what user 42 did today",
    "sold-out.csv": "items that may not be recommended",
    "requests.csv": "candidates that were shown in a request, with scores and clicks",
    "job.toml": "a job: data, split, models, metrics",
    "shop.toml": "a pipeline: retrieval and re-ranking",
    "plan.toml": "the plan of an A/B test",
    "results.parquet": "results of that test, one row a user",
    "events.parquet": "the same as a log, one row a visit",
    "shown.parquet": "which items the arms of the test showed",
    "shelf.parquet": "users who saw the shelf on which the arms of the test differ",
    "button.toml": "the plan of a smaller test, of one share",
    "rows.csv": "its results, one row a user and no ids",
    "counts.csv": "its counts, one row an arm",
    "log.csv": "impressions with the probability of each, for off-policy evaluation",
    "target.csv": "a policy to evaluate on that log",
}
"""Name of a file -> what it holds, for readers."""

_JOB: Final = """# A job: reclens run job.toml
name = "sample"

[data]
path = "ratings.csv"
users = "users.csv"
items = "items.csv"
lists = { genres = "|" }

[split]
n = 5

[models.popular]
[models.item_knn]

[segments.age]
bins = [25, 45]

[evaluate]
metrics = ["ndcg@10", "recall@10", "coverage@10"]
"""

_PIPELINE: Final = """# A pipeline: reclens pipeline fit shop.toml
name = "shop"
retrieve.item_knn = { k = 50 }
retrieve.popular = { k = 20 }
"""

_BUTTON: Final = """# A test that is read from rows without ids, or from counts
name = "button"
arms = { old = 0.5, new = 0.5 }

[[metrics]]
name = "clicked"
kind = "proportion"
value = "clicked"
"""

_START: Final = date(2026, 1, 5)
_UNITS: Final = 112_000
"""Units of the test: those that the plan expects in its 28 days."""
_ITEMS_SHOWN: Final = 200


def write_samples(folder: str | Path, *, rng: int = 0) -> list[Path]:
    """Write :data:`SAMPLES`: synthetic data in which nobody exists and no item was made.

    Args:
        folder: Where they are written; it is made where it is not there.
        rng: Seed of everything that is drawn.

    Returns:
        The files, in the order of :data:`SAMPLES`.

    Raises:
        WorkspaceError: If a file of such a name is there with other content, or none can be written.
    """
    place = made_folder(folder)
    found = {**_recommendation(rng), **_experiment(np.random.default_rng(rng)), **_policy(np.random.default_rng(rng))}
    taken = [name for name in SAMPLES if (place / name).exists() and (place / name).read_bytes() != found[name]]
    if taken:
        raise WorkspaceError(
            f"{place} has other files of these names: {', '.join(taken)}. Nothing was written; name another folder."
        )
    for name in SAMPLES:
        write_bytes(place / name, found[name])
    return [place / name for name in SAMPLES]


def _recommendation(rng: int) -> dict[str, bytes]:
    """Ratings, their split, lists of two models, a job and a pipeline."""
    import polars as pl

    from reclens import models
    from reclens.data import split
    from reclens.data.synthetic import synthetic_movielens

    data = synthetic_movielens(n_users=300, n_items=200, n_ratings=12_000, rng=rng)
    made = split.last_n(data, n=5)
    assert data.users is not None and data.items is not None  # of synthetic data
    tables = {
        "ratings": data.interactions,
        "train": made.train.interactions,
        "truth": made.test,
        "users": data.users,
        "items": data.items.with_columns(pl.col(pl.List(pl.String)).list.join("|")),
        "lists": models.build("item_knn").fit(made.train).recommend(made.test_users, k=20).to_frame(),
        "theirs": _theirs(models.build("popular").fit(made.train).recommend(made.test_users, k=20).to_frame()),
        "today": pl.DataFrame({"user_id": [42, 42], "item_id": [1, 2]}),
        "sold-out": pl.DataFrame({"item_id": [3, 4, 5]}),
        "requests": _requests(np.random.default_rng(rng)),
    }
    found = {f"{name}.csv": _csv(table) for name, table in tables.items()}
    return {**found, "job.toml": _JOB.encode(), "shop.toml": _PIPELINE.encode()}


def _theirs(lists: pl.DataFrame) -> pl.DataFrame:
    """The lists with ids as text, and two users more."""
    import polars as pl

    lists = lists.select(pl.col("user_id", "item_id").cast(pl.String), "rank")
    some = lists.head(20)
    return pl.concat([lists, *(some.with_columns(user_id=pl.lit(name)) for name in ("NEW-1", "NEW-2"))])


def _requests(rng: np.random.Generator) -> pl.DataFrame:
    """Five candidates of each of 200 requests; a higher score is clicked more often."""
    import polars as pl

    score = rng.random(1_000)
    return pl.DataFrame(
        {
            "impression": np.arange(200).repeat(5) + 1,
            "user_id": rng.integers(1, 301, 200).repeat(5),
            "item_id": np.concatenate([rng.choice(200, 5, replace=False) + 1 for _ in range(200)]),
            "score": score.round(4),
            "label": rng.binomial(1, 0.1 + 0.4 * score),
        }
    )


def _experiment(rng: np.random.Generator) -> dict[str, bytes]:
    """The example of a plan with results by unit and by event, and what was shown."""
    import polars as pl

    from reclens.experiment.assignment.assign import assign
    from reclens.experiment.planning.plan import EXAMPLE_PLAN, load_plan

    plan = load_plan(tomllib.loads(EXAMPLE_PLAN))
    ids = pl.Series("user_id", np.arange(1, _UNITS + 1))
    arm = assign(ids, plan).table["variant"]
    treated = (arm == "item_knn").to_numpy()
    habit = rng.gamma(0.8, 1 / 0.8, _UNITS)
    seen = rng.poisson(100 * habit)
    shelf = rng.random(_UNITS) < 0.4  # the arms differ on that shelf alone
    clicks = rng.binomial(seen, np.where(treated & shelf, 0.0452, 0.042))
    units = pl.DataFrame(
        {
            "user_id": ids,
            "variant": arm,
            "activity": np.where(habit > 1, "heavy", "light"),
            "clicks_before": rng.poisson(4.2 * habit),
            "impressions": seen,
            "clicks": clicks,
            "retained_7": rng.binomial(1, 0.45, _UNITS),
            "saw_shelf": shelf,
            "day": rng.integers(0, plan.days or 1, _UNITS),
        }
    ).select(pl.exclude("day"), first_day=_START + pl.duration(days=pl.col("day")))
    return {
        "plan.toml": EXAMPLE_PLAN.encode(),
        "results.parquet": _parquet(units),
        "events.parquet": _parquet(_visits(units, rng)),
        "shown.parquet": _parquet(_exposures(units, treated, rng)),
        "shelf.parquet": _parquet(units.filter("saw_shelf").select("user_id")),
        "button.toml": _BUTTON.encode(),
        "rows.csv": b"variant,clicked\n" + b"old,1\nold,0\nnew,1\nnew,0\n" * 250 + b"new,1\n" * 60 + b"old,0\n" * 60,
        "counts.csv": b"version,users,successes\nold,1000,100\nnew,1000,140\n",
    }


def _visits(units: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """The results as a log: two visits of a unit, which share what it did."""
    import polars as pl

    first = units.with_columns(
        impressions=pl.Series(rng.binomial(units["impressions"], 0.6)),
        clicks=pl.Series(rng.binomial(units["clicks"], 0.6)),
    )
    later = units.with_columns(
        impressions=units["impressions"] - first["impressions"],
        clicks=units["clicks"] - first["clicks"],
        clicks_before=pl.lit(0, units.schema["clicks_before"]),
        retained_7=pl.lit(0, units.schema["retained_7"]),
    )
    parts = [
        part.select(pl.exclude("first_day"), timestamp=pl.col("first_day").cast(pl.Datetime("ms")).dt.offset_by(after))
        for part, after in ((first, "12h"), (later, "36h"))
    ]
    return pl.concat(parts).sort("timestamp", maintain_order=True)


def _exposures(units: pl.DataFrame, treated: np.ndarray, rng: np.random.Generator) -> pl.DataFrame:
    """Five items of each tenth unit; the treated see more of the tail."""
    each = np.arange(0, units.height, 10).repeat(5)
    draws = rng.random(each.size)
    popular = np.arange(1, _ITEMS_SHOWN + 1) ** -1.0
    items = [np.searchsorted(np.cumsum(share) / share.sum(), draws) + 1 for share in (popular, popular**0.8)]
    shown = units.select("user_id", "variant")[each]
    return shown.with_columns(item_id=np.where(treated[each], items[1], items[0]))


def _policy(rng: np.random.Generator) -> dict[str, bytes]:
    """A log of impressions by a policy whose probabilities are known, and another policy."""
    import polars as pl

    share, click = np.array([0.5, 0.3, 0.2]), np.array([0.05, 0.08, 0.12])
    shown = rng.choice(3, 5_000, p=share)
    names = np.array(["a", "b", "c"])
    log = pl.DataFrame(
        {
            "user_id": rng.integers(1, 1_001, shown.size),
            "item_id": names[shown],
            "clicked": rng.binomial(1, click[shown]),
            "propensity": share[shown],
        }
    )
    return {"log.csv": _csv(log), "target.csv": _csv(pl.DataFrame({"item_id": names, "probability": [0.2, 0.3, 0.5]}))}


def _csv(table: pl.DataFrame) -> bytes:
    return table.write_csv().encode()


def _parquet(table: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    table.write_parquet(file, metadata=MADE_UP)
    return file.getvalue()
