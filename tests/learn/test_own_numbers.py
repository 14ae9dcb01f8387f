"""The newest artefact of a workspace beside a lesson: one of each of the six kinds, with numbers known by hand."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from reclens.audit.procedure import run as run_audit
from reclens.evaluation import Evaluation, compare, evaluate
from reclens.experiment import Plan
from reclens.experiment import read as read_experiment
from reclens.explore.procedure import run as explore
from reclens.explore.text_embedding import embed_texts
from reclens.learn.lessons import all_lessons
from reclens.learn.reading import read_lesson
from reclens.report.learn.own_numbers import KIND_OF_LESSON
from reclens.schema import ITEM, Recommendations
from reclens.workspace import Workspace

USERS = list("abcdefghij")
TRUTH = pl.DataFrame({"user_id": USERS, "item_id": [1] * 10})


def lists(hits: int) -> pl.DataFrame:
    """Ten users with a list of one item, the first of them with what is relevant."""
    return pl.DataFrame({"user_id": USERS, "item_id": [1] * hits + [2] * (10 - hits), "rank": [1] * 10})


def measured(hits: int, name: str) -> Evaluation:
    return evaluate(lists(hits), TRUTH, metrics=["precision@1"], name=name, replicates=200, catalogue=[1, 2, 3, 4])


def readout() -> Any:
    """Forty users in each arm; those of the treatment have three clicks where those of the control have two."""
    plan = Plan(
        name="clicks",
        hypothesis="The new list is clicked more.",
        arms={"control": 0.5, "treatment": 0.5},
        days=14,
        metrics=({"name": "clicks", "value": "clicks", "effect": 0.1},),
    )
    clicks = [1, 3] * 20 + [2, 4] * 20
    arms = ["control"] * 40 + ["treatment"] * 40
    return read_experiment(plan, pl.DataFrame({"user_id": range(80), "variant": arms, "clicks": clicks}))


def exploration() -> Any:
    """Lists that show two of four items."""
    items = pl.DataFrame({ITEM: [1, 2, 3, 4], "title": ["red apple", "green pear", "blue plum", "old boat"]})
    return explore(
        embed_texts(items, columns=("title",), id_column=ITEM, name="fruit"),
        Recommendations(lists(4), "shop", {}),
        TRUTH,
        k=1,
    )


def audit() -> Any:
    return run_audit(Recommendations(lists(4), "market", {}), TRUTH, k=1, metrics=["precision@1"], name="market")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def own(workspace: Workspace, code: str) -> Any:
    reading = read_lesson(code, workspace.folder)
    assert reading.own is not None
    assert f"## In your workspace\n\n**{reading.own.title}**" in reading.text
    return reading.own


def test_every_kind_has_a_test_here() -> None:
    assert set(KIND_OF_LESSON.values()) == {"evaluation", "comparison", "readout", "audit", "exploration", "health"}
    assert set(KIND_OF_LESSON) <= {each.code for each in all_lessons()}


def test_the_newest_evaluation_stands_beside_a_lesson(workspace: Workspace) -> None:
    assert read_lesson("3.b", workspace.folder).own is None
    for hits in (7, 4):
        workspace.save(measured(hits, "shop"), f"run-{hits}")
    shown = own(workspace, "3.b")
    assert shown.rows[0][0] == "run-4" and any("0.4" in str(cell) for cell in shown.rows[0]), shown.rows


def test_a_comparison_stands_beside_a_lesson(workspace: Workspace) -> None:
    workspace.save(compare({"low": measured(1, "low"), "high": measured(10, "high")}, baseline="low"), "both")
    [record] = [each for each in own(workspace, "2.d").records if each["system"] == "high"]
    assert record["difference"] == pytest.approx(0.9)


def test_a_readout_stands_beside_a_lesson(workspace: Workspace) -> None:
    workspace.save(readout(), "test")
    [record] = own(workspace, "2.a").records
    assert record["lift"] == pytest.approx(0.5)


def test_an_audit_stands_beside_a_lesson(workspace: Workspace) -> None:
    kept = audit()
    workspace.save(kept, "market")
    shown = own(workspace, "4.a")
    assert {each["criterion"]: each["opinion"] for each in shown.records} == dict(kept.opinions)


def test_an_exploration_stands_beside_a_lesson(workspace: Workspace) -> None:
    workspace.save(exploration(), "fruit")
    records = {each["measure"]: each["value"] for each in own(workspace, "5.b").records}
    assert records["coverage"] == 0.5


def test_a_watched_day_stands_beside_a_lesson(workspace: Workspace, watched: ModuleType) -> None:
    day = watched.days()[-1]
    workspace.save(day, "shop")
    shown = own(workspace, "5.a")
    assert len(shown.records) == day.detections.filter(dimension="overall").height
    ctr = day.detections.filter(indicator="ctr", dimension="overall")["value"].item()
    assert ctr in [each["value"] for each in shown.records if each["indicator"] == "ctr"]


def test_an_artefact_that_cannot_be_read_leaves_the_lesson(workspace: Workspace) -> None:
    workspace.save(measured(4, "shop"), "run")
    for path in workspace.folder.rglob("*.parquet"):
        path.write_bytes(b"broken")
    assert read_lesson("3.b", workspace.folder).own is None
