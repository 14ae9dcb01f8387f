"""One audit of a system that favours what is popular, and one of a fairer one."""

from __future__ import annotations

import dataclasses

import pytest

import reclens as rl
from reclens.audit import Audit, AuditSettings


@pytest.fixture(scope="session")
def audits() -> dict[str, Audit]:
    data = rl.synthetic_movielens(n_users=500, n_items=120, n_ratings=20_000)
    split = rl.split.last_n(data, n=5)
    bins = rl.segments.bins("age", [25, 45])
    split = dataclasses.replace(split, train=split.train.with_segments(age_band=bins))
    settings = AuditSettings(
        by=["gender", "age_band"],
        attributes=["popularity", "genres"],
        protected=["gender"],
        metrics=["ndcg@10", "novelty@10"],
        replicates=200,
    )
    models = {"popular": rl.models.Popular(), "ease": rl.models.EASE(l2=100)}
    return {
        name: rl.audit.run(
            model.fit(split.train).recommend(split.test_users, k=10),
            split.test,
            train=split.train,
            settings=settings,
            name=name,
        )
        for name, model in models.items()
    }


@pytest.fixture(scope="session")
def audit(audits: dict[str, Audit]) -> Audit:
    return audits["popular"]
