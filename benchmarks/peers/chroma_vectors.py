"""Chroma: see bench_explore.py. An HNSW graph with its own defaults, by cosine; ``ask N`` looks at N candidates."""

import sys
import tempfile
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import chromadb
import numpy as np
from chromadb.config import Settings
from harness import serve

folder, k = Path(sys.argv[1]), int(sys.argv[2])
vectors, queries = np.load(folder / "vectors.npy"), np.load(folder / "queries.npy")
client = chromadb.PersistentClient(tempfile.mkdtemp(dir=folder), settings=Settings(anonymized_telemetry=False))
made = []


def build():
    kept = client.create_collection("vectors", configuration={"hnsw": {"space": "cosine"}}, embedding_function=None)
    for at in range(0, len(vectors), 5_000):
        part = vectors[at : at + 5_000]
        kept.add(ids=[str(at + one) for one in range(len(part))], embeddings=part)
    made.append(kept)


def ask(candidates, rows):
    made[0].modify(configuration={"hnsw": {"ef_search": candidates}})
    found = made[0].query(query_embeddings=queries[:rows], n_results=k, include=[])["ids"]
    return [[int(one) for one in each] for each in found]


sizes = (10, 16, 32, 64, 128, 256)
serve(
    {"build": build, "settings": lambda: list(sizes)}
    | {f"ask {size}": partial(ask, size, len(queries)) for size in sizes}
)
