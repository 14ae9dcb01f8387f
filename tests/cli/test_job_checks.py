"""A job is checked before anything is read, compiled or fitted; its pipelines take the parameters of its models."""

from __future__ import annotations

from pathlib import Path

import pytest

from reclens.cli import shared
from reclens.job import run as job
from reclens.job.checks import check_job, with_models
from reclens.job.settings import validate_settings
from reclens.workspace import Workspace


@pytest.mark.parametrize(
    ("slip", "named"),
    [
        ('metrics = ["ncdg@2"]', "ncdg"),
        ('metrics = ["diversity@2"]', "diversity@2 needs item features"),
        ('metrics = ["ndcg@2"]\nby = ["cty"]', "cty"),
    ],
)
def test_metrics_are_checked_before_anything_is_compiled(
    slip: str, named: str, shop: Path, typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "prepare", lambda *_, **__: pytest.fail("compiled"))
    path = tmp_path / "job.toml"
    path.write_text(f'[data]\npath = "events.csv"\n[split]\nn = 2\n[models.popular]\n[evaluate]\n{slip}\n')
    said = typed("run", str(path), "-w", str(tmp_path / "w"), cwd=shop)
    assert said.status == 2 and named in said.stderr
    assert not (tmp_path / "w" / "model").exists()
    monkeypatch.setattr(job, "load_data", lambda *_, **__: pytest.fail("read"))
    if "ncdg" in slip:
        assert "ncdg" in typed("run", str(path), "-w", str(tmp_path / "w"), cwd=shop).stderr


def test_a_pipeline_takes_the_parameters_of_the_models_that_it_names(tmp_path: Path) -> None:
    content = {
        "models": {"ease": {"l2": 7.0}, "wide": {"model": "item_knn", "neighbors": 9}, "popular": {}},
        "pipelines": {
            "shop": {
                "retrieve": {
                    "near": {"model": "wide", "k": 6},
                    "ease": {"k": 5, "l2": 8.0},
                    "popular": {"k": 3},
                },
                "rank": {"model": "ease", "keep": 4},
            }
        },
    }
    asked = validate_settings(content, source="job")
    check_job(asked, Workspace(tmp_path))
    made = with_models(asked).pipelines["shop"]
    assert made.retrieve == {
        "near": {"model": "item_knn", "neighbors": 9, "k": 6},
        "ease": {"model": "ease", "l2": 8.0, "k": 5},
        "popular": {"model": "popular", "k": 3},
    }
    assert made.rank == {"model": "ease", "l2": 7.0, "keep": 4}
