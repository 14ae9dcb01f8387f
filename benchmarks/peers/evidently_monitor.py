"""Evidently: see bench_monitor.py."""

import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import evidently.metrics as em
import pandas as pd
from evidently import DataDefinition, Dataset, Recsys, Report
from evidently.presets import DataDriftPreset
from harness import serve

warnings.filterwarnings("ignore")
folder, day, before = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
NUMBERS = ["score", "feature.price", "feature.age", "feature.history"]
COLUMNS = [*NUMBERS, "feature.device"]
RANKED = ["request_id", "item_id", "position", "clicked"]


def drift():
    definition = DataDefinition(numerical_columns=NUMBERS, categorical_columns=["feature.device"])
    tables = [
        Dataset.from_pandas(pd.read_parquet(folder / "log" / f"{each}.parquet", columns=COLUMNS), definition)
        for each in (day, before)
    ]
    found = Report([DataDriftPreset(columns=COLUMNS, method="psi")]).run(*tables).dict()
    return {"drifted": next(each["value"]["count"] for each in found["metrics"] if "count" in str(each["value"]))}


def ranking():
    table = pd.read_parquet(folder / "log" / f"{day}.parquet", columns=RANKED)
    rank = Recsys(
        user_id="request_id",
        item_id="item_id",
        target="clicked",
        prediction="position",
        recommendations_type="rank",
    )
    data = Dataset.from_pandas(table, DataDefinition(numerical_columns=[], ranking=[rank]))
    found = Report([em.NDCG(k=10), em.MRR(k=10), em.HitRate(k=3)]).run(data, None).dict()["metrics"]
    values = [each["value"]["value"] for each in found]
    return {"ndcg": values[0][9], "mrr": values[1][9], "hit_rate": values[2][2]}


serve({"drift": drift, "ranking": ranking})
