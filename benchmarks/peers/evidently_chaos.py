"""Evidently's drift preset on days with injected faults: see monitor_chaos_peer.py."""

import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
from harness import serve

warnings.filterwarnings("ignore")
folder = Path(sys.argv[1])
NUMBERS = ["position", "score", "latency_ms", "feature.price", "clicked", "converted", "hour", "delay_s"]
TEXTS = ["surface", "model_version", "segment", "retriever"]
COLUMNS = [*NUMBERS, *TEXTS]
DEFINITION = DataDefinition(numerical_columns=NUMBERS, categorical_columns=TEXTS)


def days():
    """Name of a day -> columns that drifted from the seven days before, by the preset's own tests and thresholds."""
    before = Dataset.from_pandas(pd.read_parquet(folder / "reference.parquet", columns=COLUMNS), DEFINITION)
    found = {}
    for place in sorted(folder.glob("day-*.parquet")):
        day = Dataset.from_pandas(pd.read_parquet(place, columns=COLUMNS), DEFINITION)
        metrics = Report([DataDriftPreset(columns=COLUMNS)]).run(day, before).dict()["metrics"]
        count = next(each["value"]["count"] for each in metrics if "count" in str(each["value"]))
        found[place.stem.removeprefix("day-")] = int(count)
        print(place.stem, count, file=sys.stderr, flush=True)
    return found


serve({"days": days})
