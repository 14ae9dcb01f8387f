"""Everything public pickles, and a closure that names it runs in a process that has never heard of it."""

from __future__ import annotations

import base64
import inspect
import pickle
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.metrics.registry import _REGISTERED

LISTS = pl.DataFrame({"user_id": [1, 1, 2], "item_id": [7, 8, 8], "rank": [1, 2, 1]})
TRUTH = pl.DataFrame({"user_id": [1, 2], "item_id": [8, 9]})


def in_a_fresh_process(pickled: bytes, *, call: str) -> str:
    """What a fresh Python prints of something that it was sent."""
    code = (
        "import sys, base64, pickle\n"
        f"sent = pickle.loads(base64.b64decode({base64.b64encode(pickled)!r}))\n"
        f"print({call})\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_every_public_name_pickles() -> None:
    names = [name for name in rl.__all__ if not inspect.ismodule(getattr(rl, name))]  # modules do not, in Python
    assert len(names) > 20
    for value in (getattr(rl, name) for name in names):
        assert pickle.loads(pickle.dumps(value)) is value


def test_every_metric_pickles() -> None:
    for name in rl.metrics.names():
        value = getattr(rl.metrics, name)
        assert pickle.loads(pickle.dumps(value)) is value
        spec = rl.metrics.parse(f"{name}@7" if value.cut else name)
        assert pickle.loads(pickle.dumps(spec)) == spec
        assert pickle.loads(pickle.dumps(value.function)) is value.function


def test_values_pickle() -> None:
    data = rl.synthetic_movielens(n_users=40, n_items=30, n_ratings=700)
    split = rl.split.random(data, test_share=0.2)
    model = rl.models.EASE().fit(split.train)
    lists = model.recommend(split.test_users, k=5)
    result = rl.evaluate(lists, split.test, train=split.train, metrics=[rl.metrics.ndcg @ 5])
    assert pickle.loads(pickle.dumps(data)).fingerprint == data.fingerprint
    assert pickle.loads(pickle.dumps(split)).test.equals(split.test)
    assert pickle.loads(pickle.dumps(model)).recommend([1]).table.equals(model.recommend([1]).table)
    assert pickle.loads(pickle.dumps(lists)).table.equals(lists.table)
    assert pickle.loads(pickle.dumps(result)).to_dicts() == result.to_dicts()


def test_functions_run_in_a_fresh_process() -> None:
    sent = pickle.dumps((rl.evaluate, LISTS, TRUTH, rl.metrics.mrr @ 10))
    call = "sent[0](sent[1], sent[2], metrics=[sent[3]])['mrr@10'].overall.value"
    assert in_a_fresh_process(sent, call=call) == "0.25"  # (1/2 + 0) / 2


def test_closures_run_in_a_fresh_process() -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    k = 10

    def measured(lists):
        return rl.evaluate(lists, TRUTH, metrics=[f"mrr@{k}"])["mrr@10"].overall.value

    assert in_a_fresh_process(cloudpickle.dumps(rl.evaluate), call="sent.__module__") == "reclens.evaluation.run"
    sent = cloudpickle.dumps((measured, LISTS))
    assert in_a_fresh_process(sent, call="sent[0](sent[1])") == "0.25"


def test_a_metric_of_ones_own_goes_along() -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    namespace: dict = {"__name__": "__main__", "np": np, "metric": rl.metric}
    exec(
        "@metric(title='First place', needs=('truth',))\n"
        "def first_place(lists, convention):\n"
        "    return lists.hits[:, 0].astype(np.float64)\n",
        namespace,
    )
    try:
        sent = cloudpickle.dumps((rl.evaluate, LISTS, TRUTH, namespace["first_place"] @ 1))
        call = "sent[0](sent[1], sent[2].vstack(sent[2].head(0)), metrics=[sent[3], 'first_place@1']).metrics"
        assert in_a_fresh_process(sent, call=call) == "('first_place@1',)"
    finally:
        _REGISTERED.pop("first_place", None)
