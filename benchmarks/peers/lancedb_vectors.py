"""LanceDB: see bench_explore.py. Without an index, or with IVF_HNSW_SQ. ``ask P/C``: of the index, P partitions are
probed for C candidates, which are ranked again by their exact vectors.
"""

import sys
import tempfile
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import lancedb
import numpy as np
import pyarrow as pa
from harness import serve

folder, k, index = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "index"
vectors, queries = np.load(folder / "vectors.npy"), np.load(folder / "queries.npy")
database = lancedb.connect(tempfile.mkdtemp(dir=folder))
made = []


def build():
    values = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
    rows = pa.table({"id": pa.array(np.arange(len(vectors))), "vector": values})
    table = database.create_table("vectors", rows)
    if index:
        table.create_index(metric="dot", vector_column_name="vector", index_type="IVF_HNSW_SQ")
    made.append(table)


def ask(setting):
    search = made[0].search(list(asked)).distance_type("dot").select(["id", "_distance"]).limit(k)
    if setting:
        probes, candidates = map(int, setting.split("/"))
        search = search.nprobes(probes).ef(candidates).refine_factor(candidates // k)
    found = search.to_arrow()
    lists = [[] for _ in asked]
    for at, one in zip(found["query_index"].to_pylist(), found["id"].to_pylist(), strict=True):
        lists[at].append(one)
    return lists


asked = queries if index else queries[:50]  # without an index each takes a third of a second
settings = [f"{probes}/{30 * probes}" for probes in (1, 2, 4, 8, 16)] if index else [0]
serve({"build": build, "settings": lambda: settings} | {f"ask {each}": partial(ask, each) for each in settings})
