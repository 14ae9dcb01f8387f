"""Write tests/reference/stored/ranx.json: run once, where ranx is, when random_run of the tests changes.

python scripts/make_ranx_values.py
"""

from __future__ import annotations

import importlib.util
import json
from importlib.metadata import version
from pathlib import Path

import ranx

HERE = Path(__file__).resolve().parents[1] / "tests" / "reference"


def main() -> None:
    """Compute the values and write the file."""
    spec = importlib.util.spec_from_file_location("test_other_libraries", HERE / "test_other_libraries.py")
    assert spec and spec.loader
    tests = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tests)
    lists, truth = tests.random_run(3)
    values = {}
    for relevance in ("binary", "graded"):
        qrels: dict[str, dict[str, int]] = {}
        for user, item, grade in truth.rows():
            qrels.setdefault(user, {})[item] = grade if relevance == "graded" else 1
        run: dict[str, dict[str, float]] = {user: {} for user in qrels}
        for user, item, _, score in lists.rows():
            run[user][item] = score
        # ranx has no empty list: a user without one gets a document that nobody likes.
        run = {user: found or {"nothing": 0.0} for user, found in run.items()}
        for k in (1, 5, 10):
            names = [f"{name}@{k}" for name in tests.SHARED]
            found = ranx.evaluate(ranx.Qrels(qrels), ranx.Run(run), names)
            values[f"{relevance}@{k}"] = {name: float(found[name]) for name in names}
    versions = {package: version(package) for package in ("ranx", "numba", "numpy")}
    (HERE / "stored" / "ranx.json").write_text(json.dumps({"versions": versions, "values": values}, indent=1) + "\n")


if __name__ == "__main__":
    main()
