"""Audits of lists in Spark give the numbers of one machine; here on Sail."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import polars as pl
import pytest

import reclens as rl
from reclens.audit.measure import AuditMeasures, measure_audit
from reclens.audit.settings import AuditSettings
from reclens.edges.spark import Spark, SparkTables
from reclens.engine import quiet
from spark_tables import Made, make_tables, to_spark

pytest.importorskip("pysail.spark", reason="Sail is in the extra of the tests: pip install pysail")

pytestmark = pytest.mark.filterwarnings("ignore::reclens.evaluation.EvaluationWarning")
SETTINGS = AuditSettings(
    k=5,
    metrics=["ndcg@10", "recall@5"],
    by=["age", "sex", ("age", "sex")],
    attributes=["popularity", "genres"],
    retrieved=10,
    replicates=200,
    minimum=5,
)


@functools.cache
def made(kind: str, n: int = 120) -> Made:
    """Lists with ranks and, beside them, scores that can be probabilities."""
    own = make_tables(kind, n=n)
    lists = own.lists.with_columns(score=1 / (1 + pl.col("rank")))
    return Made(lists, own.truth.drop("grade"), own.train, own.users, own.items)


@functools.cache
def on_one_machine(kind: str, n: int) -> AuditMeasures:
    own = made(kind, n)
    return measure_audit(own.lists, own.truth, settings=SETTINGS, train=own.data)


def tables_of(session: Any, own: Made) -> SparkTables:
    names = {"interactions": own.train, "users": own.users, "items": own.items}
    return SparkTables(**{name: to_spark(session, table) for name, table in names.items()})


def key_of(row: rl.audit.AuditRow) -> tuple[Any, ...]:
    return row.measure, row.attribute, row.group, row.by, row.segment, row.reference


def assert_equal(ours: AuditMeasures, theirs: AuditMeasures) -> None:
    """Counts and weights are equal, and sums to 1e-12."""
    assert ours.summary.cells == theirs.summary.cells and ours.summary.columns == theirs.summary.columns
    for name in ("n", "units", "weights"):
        np.testing.assert_array_equal(getattr(ours.summary, name), getattr(theirs.summary, name), err_msg=name)
    for name in ("total", "squares", "cubes", "sums"):
        found, known = getattr(theirs.summary, name), getattr(ours.summary, name)
        np.testing.assert_allclose(found, known, rtol=1e-12, atol=1e-12, err_msg=name)
    shown = [dict(zip(each.context.items.ids, each.shown, strict=True)) for each in (ours, theirs)]
    assert {item: n for item, n in shown[0].items() if n} == {item: n for item, n in shown[1].items() if n}
    assert ours.has_chances == theirs.has_chances and dict(ours.card) == dict(theirs.card)
    for name, groups in ours.groups.items():
        assert groups.labels == theirs.groups[name].labels
        np.testing.assert_array_equal(groups.sizes, theirs.groups[name].sizes)


@pytest.mark.parametrize(("kind", "n", "users"), [("string", 1, 120), ("int64", 7, 60), ("int32", 300, 12)])
def test_partitions_give_the_sums_of_one_machine(session: Any, kind: str, n: int, users: int) -> None:
    own = made(kind, users)

    found = Spark(partitions=n).audit(
        to_spark(session, own.lists),
        to_spark(session, own.truth),
        settings=SETTINGS,
        train=tables_of(session, own),
        progress=quiet,
    )

    assert_equal(on_one_machine(kind, users), found)


def test_an_audit_has_the_rows_of_one_machine(session: Any) -> None:
    own = made("string")
    how: dict[str, Any] = {"settings": SETTINGS}

    one = rl.audit.run(own.lists, own.truth, train=own.data, **how)
    far = rl.audit.run(
        to_spark(session, own.lists),
        to_spark(session, own.truth),
        train=tables_of(session, own),
        engine=Spark(partitions=3),
        **how,
    )

    rows = {key_of(row): row for row in one.rows}
    assert {key_of(row) for row in far.rows} == {key for key in rows if key[0] != "catalogue_coverage"}
    for row in far.rows:
        known = rows[key_of(row)]
        assert row.n == known.n and row.harm == known.harm and row.reason == known.reason
        for name in ("value", "reference_value", "difference", "ratio"):
            found, expected = getattr(row, name), getattr(known, name)
            assert found.value == pytest.approx(expected.value, rel=1e-9, abs=1e-12, nan_ok=True), (name, row)
            for end in ("low", "high"):
                limit = getattr(expected, end)
                assert getattr(found, end) == (limit and pytest.approx(limit, rel=1e-9, abs=1e-12, nan_ok=True))
        assert row.p_value == pytest.approx(known.p_value, rel=1e-6, abs=1e-12, nan_ok=True)
    assert far.gini == pytest.approx(one.gini) and far.preflight == one.preflight
    assert [each.to_dicts() for each in far.bias] == [each.to_dicts() for each in one.bias]
    lacking = {each.measure for each in far.not_measured if each.lacking == "memory"}
    assert lacking == {"catalogue_coverage", "intersections", "adjusted_gaps"}
    assert far.users.is_empty() and far.users.columns == one.users.columns
    assert rl.report.build_audit_report(far)


def test_joint_measures_that_sums_do_not_give_are_listed(session: Any) -> None:
    own = made("int64", 30)
    how: dict[str, Any] = {"k": 5, "by": ["sex"], "attributes": ["genres"], "replicates": 200, "two_sided": True}

    one = rl.audit.run(own.lists, own.truth, train=own.data, **how)
    far = rl.audit.run(to_spark(session, own.lists), to_spark(session, own.truth), train=tables_of(session, own), **how)

    annex = [{row.measure for row in found.rows if row.section == "two_sided"} for found in (one, far)]
    assert annex[1] == {"bias_disparity"} and {each[:4] for each in annex[0] - annex[1]} == {"jme_"}
    listed = [[each for each in found.not_measured if each.section == "two_sided"] for found in (one, far)]
    assert [[(each.measure, each.lacking) for each in missing] for missing in listed] == [
        [],
        [("joint_exposure", "memory")],
    ]
