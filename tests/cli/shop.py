"""A folder with a small file of every kind that a command takes, and a workspace with an artefact of every kind."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from reclens.monitor.project import Project

USERS, ITEMS, EACH = 30, 24, 12

PLAN = """name = "shop"
[arms]
old = 0.5
new = 0.5
[[metrics]]
name = "clicks"
value = "clicks"
effect = 0.1
baseline = { mean = 1.0, sd = 1.0 }
"""
LOOKS = PLAN.replace("[arms]", "[sequential]\nlooks = 2\n[arms]")
EXPOSED = PLAN + '[[metrics]]\nname = "reach"\nkind = "coverage"\nrole = "secondary"\n'
PIPELINE = 'name = "shop"\nretrieve.item_knn = { k = 6 }\nretrieve.popular = { k = 4 }\n'
BLEND = 'model = "weighted_hybrid"\nmodels = { item_knn = {}, popular = {} }\n'
JOB = """name = "j"
[data]
path = "events.csv"
[models.popular]
[models.random]
[evaluate]
metrics = ["ndcg@2"]
k = 3
replicates = 20
"""
AUDIT = """name = "a"
lists = "lists.csv"
[data]
truth = "truth.csv"
train = "train.csv"
users = "users.csv"
items = "items.csv"
[audit]
k = 3
by = ["city"]
metrics = ["ndcg@2"]
attributes = ["popularity"]
replicates = 200
[report]
pdf = false
"""


def two_tensors() -> bytes:
    """A safetensors file with two tables of numbers."""
    header = json.dumps(
        {
            name: {"dtype": "F32", "shape": [ITEMS, 2], "data_offsets": [at * ITEMS * 8, (at + 1) * ITEMS * 8]}
            for at, name in enumerate(("users", "items"))
        }
    ).encode()
    return len(header).to_bytes(8, "little") + header + np.ones((2 * ITEMS, 2), np.float32).tobytes()


def fill(folder: Path) -> None:
    """Write the files."""
    rng = np.random.default_rng(0)
    own = [rng.permutation(ITEMS)[:EACH] + 1 for _ in range(USERS)]
    users = np.repeat(np.arange(1, USERS + 1), EACH)
    events = pl.DataFrame(
        {
            "user_id": users,
            "item_id": np.concatenate(own),
            "timestamp": np.tile(np.arange(EACH) * 86_400, USERS),
            "rating": rng.integers(1, 6, USERS * EACH),
        }
    )
    tables = {
        "events": events,
        "train": events.select("user_id", "item_id").head(200),
        "users": pl.DataFrame({"user_id": range(1, USERS + 1), "city": ["a", "b"] * (USERS // 2)}),
        "items": pl.DataFrame(
            {
                "item_id": range(1, ITEMS + 1),
                "title": [f"T{at}" for at in range(ITEMS)],
                "price": rng.integers(1, 50, ITEMS),
            }
        ),
    }
    pairs = events.group_by("user_id", maintain_order=True).tail(3)
    tables["lists"] = pairs.with_columns(rank=pl.int_range(1, pl.len() + 1).over("user_id")).select(
        "user_id", "item_id", "rank"
    )
    tables["truth"] = pairs.select("user_id", "item_id")
    tables["plots"] = pl.DataFrame(
        {
            "item_id": range(1, ITEMS + 1),
            "plot": [
                f"a {('ship', 'storm', 'robot')[at % 3]} and a {('king', 'queen')[at % 2]}" for at in range(ITEMS)
            ],
            "year": [1990 + at for at in range(ITEMS)],
        }
    )
    np.save(folder / "plots.npy", rng.standard_normal((ITEMS, 4)))
    pairs_of = {"item_id": [1, 2], "short": [[1.0], [2.0]], "long": [[1.0, 2.0], [2.0, 1.0]]}
    pl.DataFrame(pairs_of).write_parquet(folder / "vectors.parquet")
    (folder / "plots.safetensors").write_bytes(two_tensors())
    tables["predicted"] = pairs.select("user_id", "item_id", "rating", prediction=pl.lit(3.0))
    tables["units"] = pl.DataFrame(
        {
            "user_id": [f"u{at}" for at in range(400)],
            "variant": ["old", "new"] * 200,
            "clicks": rng.poisson(1.0, 400),
            "timestamp": ["2026-01-05"] * 400,
        }
    )
    shown = rng.choice(3, 300, p=[0.5, 0.3, 0.2])
    tables["log"] = pl.DataFrame(
        {
            "user_id": [f"u{at % 50}" for at in range(300)],
            "item_id": np.array(["a", "b", "c"])[shown],
            "clicked": rng.integers(0, 2, 300),
            "propensity": np.array([0.5, 0.3, 0.2])[shown],
        }
    )
    tables["shown"] = pl.DataFrame(
        {
            "request_id": [1, 1, 2, 2],
            "user_id": ["u1", "u1", "u2", "u2"],
            "item_id": ["a", "b", "a", "c"],
            "clicked": [1, 0, 0, 1],
            "score": [0.9, 0.1, 0.4, 0.3],
        }
    )
    for name, table in tables.items():
        table.write_csv(folder / f"{name}.csv")
    (folder / "target.csv").write_text("item_id,probability\na,0.5\nb,0.5\n")
    for name, text in (
        ("plan", PLAN),
        ("looks", LOOKS),
        ("exposed", EXPOSED),
        ("pipeline", PIPELINE),
        ("blend", BLEND),
        ("job", JOB),
        ("audit", AUDIT),
    ):
        (folder / f"{name}.toml").write_text(text)
    men = folder / "obd" / "random" / "men"
    men.mkdir(parents=True)
    rows = [f"2019-11-24 00:00:{at % 60:02}+00:00,{at % 2},1,{int(at % 4 == 1)},0.5" for at in range(100)]
    (men / "men.csv").write_text("\n".join(["timestamp,item_id,position,click,propensity_score", *rows]) + "\n")
    (men / "item_context.csv").write_text("item_id,item_feature_0\n0,1\n1,2\n")
    (folder / "folder").mkdir()
    (folder / "folder" / "x").touch()


MONITOR = """system = "shop"
[log]
path = "log"
"""


def watch(folder: Path) -> None:
    """A monitor of two days, of which the second has no data: that is an incident."""
    from reclens.job.monitor import backfill
    from reclens.workspace import Workspace

    place = folder / "workspace" / "monitor"
    (place / "log").mkdir(parents=True)
    (place / "monitor.toml").write_text(MONITOR)
    at = datetime(2026, 1, 5, 12, tzinfo=UTC)
    rows = {"user_id": range(40), "item_id": range(40), "position": [1, 2] * 20, "clicked": [1, 0, 0, 0] * 10}
    pl.DataFrame(rows).with_columns(timestamp=pl.lit(at)).write_parquet(place / "log" / "2026-01-05.parquet")
    backfill(Project(place), date(2026, 1, 5), date(2026, 1, 6), workspace=Workspace(folder / "workspace"))
    _learn_from(folder / "learned", Project(place), date(2026, 1, 5))


def _learn_from(folder: Path, like: Project, day: date) -> None:
    """A monitor of two weeks of days like one."""
    folder.mkdir()
    (folder / "monitor.toml").write_text(MONITOR)
    made, card = Project(folder), like.card(day)
    assert card is not None
    gate = like.gates(day, day)[day]
    for at in range(14):
        other = day + timedelta(days=at)
        series = like.series(day, day).with_columns(day=pl.lit(other))
        made.write_day(other, {"series": series}, replace(gate, day=other), {**card, "day": other.isoformat()})


def keep(folder: Path) -> None:
    """Fill the workspace."""
    from reclens import models
    from reclens.data import split
    from reclens.data.read.tables import read
    from reclens.evaluation import evaluate
    from reclens.pipeline import Pipeline
    from reclens.workspace import Workspace

    place = Workspace(folder / "workspace")
    data = read(folder / "events.csv", items=folder / "items.csv", users=folder / "users.csv")
    made = split.random(data, test_share=0.2, validation_share=0.2, rng=0)
    fitted = models.build("item_knn").fit(made.train)
    place.save(made, "s")
    watch(folder)
    for name, model in {
        "m": fitted,
        "gone": fitted,
        "k": models.build("knowledge").fit(data),
        "rated": models.build("user_knn", {"feedback": "explicit"}).fit(made.train),
    }.items():
        place.save(model, name)
    place.remove("model", "gone")
    place.save(Pipeline.from_toml(folder / "pipeline.toml").fit(made.train), "p")
    from reclens.audit import run as audit
    from reclens.explore import LocalStore, embed_texts
    from reclens.explore.transfer import move

    plots = embed_texts(pl.read_csv(folder / "plots.csv"), columns=["plot"], dimension=4)
    place.save(plots, "plots")
    move(plots, LocalStore(folder / "workspace" / "stores" / "plots"))
    told = read(folder / "train.csv", items=folder / "items.csv", users=folder / "users.csv")
    found = audit(folder / "lists.csv", folder / "truth.csv", train=told, by="city", k=3, replicates=200)
    place.save(found, "a1")
    place.save(found, "a2")
    for name, model in (("e1", fitted), ("e2", models.build("popular").fit(made.train))):
        lists = model.recommend(made.test_users, k=3)
        place.save(lists, name)
        place.save(evaluate(lists, made.test, train=made.train, metrics=["ndcg@2"], replicates=20), name)
