"""How the trees of a pipeline learn: from candidates whose outcome the retrievers did not know."""

from __future__ import annotations

import numpy as np

from reclens.data import split
from reclens.data.dataset import Dataset
from reclens.engine import LocalEngine, Progress
from reclens.models import build
from reclens.pipeline.boosted import BoostedRanker
from reclens.pipeline.candidates import merge
from reclens.pipeline.features import CandidateFeatures
from reclens.pipeline.specs import PipelineSpec
from reclens.schema import stable_hash

__all__ = ["fit_boosted"]


def fit_boosted(
    spec: PipelineSpec, train: Dataset, *, exclude_seen: bool, threads: int | None, progress: Progress
) -> BoostedRanker:
    """Grow the trees of a pipeline.

    The last interactions of each user (at random, where there are no timestamps) are held out of the training data, the
    retrievers are fitted on the rest, and the trees learn which of their candidates are among those held out. Features
    are counted on the rest too, and at the end on the whole training data.
    """
    ranker = spec.boosted
    assert ranker is not None
    ranker.check()
    # What the trees learn to find is what the lists will be asked for: new items, or repeats too.
    task: split.Task = "new_items" if exclude_seen else "with_repeats"
    if train.has_timestamps:
        inner = split.last_n(train, n=ranker.held_out, task=task, rng=ranker.seed)
    else:
        inner = split.random(train, test_share=0.2, task=task, rng=ranker.seed)
    users = inner.test_users
    if len(users) > ranker.n_users:
        keys = stable_hash(users) ^ np.uint64(ranker.seed)
        users = users.gather(np.sort(np.argsort(keys, kind="stable")[: ranker.n_users]))
    retrieved = {}
    for label, about in spec.retrievers.items():
        model = build(label, about).fit(inner.train, threads=threads, progress=progress)
        retrieved[label] = model.recommend(
            users, k=spec.ks[label], exclude_seen=exclude_seen, cold_users="none", threads=threads
        )
    progress("fit boosted", 0, 1)
    ranker.fit(merge(retrieved), inner.test, CandidateFeatures.learn(inner.train), threads=LocalEngine(threads).threads)
    ranker.learn_about(train)
    progress("fit boosted", 1, 1)
    return ranker
