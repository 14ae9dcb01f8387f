"""Lists that a fitted model makes over partitions of Spark are those of one machine; here on Sail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import reclens as rl
from reclens.edges._spark_rows import polars_of
from reclens.edges.spark import Spark
from reclens.errors import ArgumentTypeError, DataError
from spark_tables import make_tables, to_spark

pytest.importorskip("pysail.spark", reason="Sail is in the extra of the tests: pip install pysail")

ORDER = ["user_id", "rank"]


@pytest.mark.parametrize(("kind", "n"), [("string", 1), ("int32", 7), ("int64", 300)])
def test_the_lists_are_those_of_one_machine(session: Any, tmp_path: Path, kind: str, n: int) -> None:
    own = make_tables(kind, n=60)
    model = rl.models.ItemKNN().fit(own.data)
    model.save(tmp_path / "model")
    how: dict[str, Any] = {"k": 5, "exclude": own.items["item_id"].head(2).to_list()}

    found = Spark(partitions=n).recommend(tmp_path / "model", to_spark(session, own.users), **how)

    assert found.columns == ["user_id", "item_id", "rank", "score"]
    known = model.recommend(own.users["user_id"], **how).table.sort(ORDER)  # users without a history among them
    lists = polars_of(found).sort(ORDER)
    assert lists.height and lists.cast(dict(known.schema)).equals(known.select(lists.columns))


def test_a_model_of_a_workspace_and_the_evaluation_of_its_lists(session: Any, tmp_path: Path) -> None:
    own = make_tables("string", n=60)
    model = rl.models.EASE().fit(own.data)
    rl.Workspace(tmp_path).save(model, "ease")

    lists = Spark(session=session, partitions=2).recommend(tmp_path / "model" / "ease", own.users, k=10)
    far = rl.evaluate(lists, to_spark(session, own.truth), metrics="ndcg@10", replicates=20)

    one = rl.evaluate(model.recommend(own.users["user_id"], k=10), own.truth, metrics="ndcg@10", replicates=20)
    assert far["ndcg@10"].overall.value == pytest.approx(one["ndcg@10"].overall.value, rel=1e-12)
    assert far["ndcg@10"].overall.n == one["ndcg@10"].overall.n


def test_bad_input(session: Any, tmp_path: Path) -> None:
    own = make_tables("string", n=30)
    rl.models.Popular().fit(own.data).save(tmp_path / "model")
    engine = Spark(session=session)

    with pytest.raises(DataError, match="nowhere: there is no model"):
        engine.recommend(tmp_path / "nowhere", own.users)
    with pytest.raises(DataError, match="ids of users are integers, and those of the model strings"):
        engine.recommend(tmp_path / "model", pl.DataFrame({"user_id": [1]}))
    with pytest.raises(ArgumentTypeError, match="the same for every user"):
        engine.recommend(tmp_path / "model", own.users, exclude=own.truth)
