"""Write tests/models/_core/stored/elastic_net.json: run once, where scikit-learn is, when its cases change.

python scripts/make_elastic_net_values.py
"""

from __future__ import annotations

import importlib.util
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parents[1] / "tests" / "models" / "_core"


def main() -> None:
    """Compute the coefficients and write the file."""
    from sklearn.linear_model import ElasticNet

    spec = importlib.util.spec_from_file_location("test_item_weights", HERE / "test_item_weights.py")
    assert spec and spec.loader
    tests = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tests)
    ones = tests.taste_matrix()
    values = []
    for alpha, l1_ratio in tests.PENALTIES:
        weights = np.zeros((ones.shape[1], ones.shape[1]))
        for item in range(ones.shape[1]):
            others = ones.copy()
            others[:, item] = 0
            net = ElasticNet(
                alpha=alpha, l1_ratio=l1_ratio, positive=True, fit_intercept=False, tol=1e-14, max_iter=1_000_000
            )
            weights[:, item] = net.fit(others, ones[:, item]).coef_
        values.append(np.round(weights, 8).tolist())
    versions = {package: version(package) for package in ("scikit-learn", "numpy")}
    folder = HERE / "stored"
    folder.mkdir(exist_ok=True)
    (folder / "elastic_net.json").write_text(json.dumps({"versions": versions, "values": values}) + "\n")


if __name__ == "__main__":
    main()
