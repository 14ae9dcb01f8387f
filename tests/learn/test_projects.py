"""The five projects: a right one passes and no wrong one does; numbers against what the rooms were told to put in."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from reclens.learn.exercise import Draw, all_projects, exercise_of
from reclens.learn.project import Project, project_seed

PROJECTS = all_projects()


@pytest.mark.parametrize("project", PROJECTS, ids=[each.name for each in PROJECTS])
def test_a_right_project_passes_and_no_wrong_one_does(project: Project, judged, tmp_path: Path) -> None:
    draw = Draw(7 << 64, project.code)
    assert judged(project, draw, project.solve) == []
    expected = {
        "template": "text_missing",
        "verdict against the interval": "verdict_of_project",
        "claim that nothing carries": "claim_not_carried_here",
        "number that nothing gives": "number_not_in_evidence",
        "of another seed": "kept_table_differs" if project.artefact else "incidents_of_project",
    }
    found = {name: {each.code for each in judged(project, draw, write)} for name, write in project.wrong.items()}
    assert found.keys() == expected.keys()
    assert not [name for name, code in expected.items() if code not in found[name]], found
    values = project.values(project_seed(draw))
    assert not [each.label for each in values.values() if each.failed]
    assert values[project.measured(project_seed(draw)).primary].verdict is not None


def test_projects_are_those_of_the_path() -> None:
    levels = [(each.name, each.level, each.phase) for each in PROJECTS if isinstance(each, Project)]
    assert levels == [
        ("diagnostics", "beginner", 1),
        ("experiment", "intermediate", 2),
        ("audit", "intermediate", 4),
        ("explorer", "advanced", 5),
        ("monitor", "advanced", 5),
    ]


def test_the_numbers_of_an_audit_are_about_what_was_put_in() -> None:
    """Exposure of the partner is 0.75 of its merit; households with a low income lose 0.06 of NDCG."""
    project = exercise_of("audit")
    assert isinstance(project, Project)
    values = [project.values(seed) for seed in (1, 2, 3)]
    assert all(each["partner_exposure"].verdict == each["ndcg_low"].verdict == "worse" for each in values)
    holds = [each["partner_exposure"].low <= 0.75 <= each["partner_exposure"].high for each in values]
    assert sum(holds) >= 2
    assert sum(each["partner_exposure"].value for each in values) / 3 == pytest.approx(0.75, abs=0.05)


def test_the_table_of_a_job_is_the_table_of_the_project(tmp_path: Path) -> None:
    """The command of the room gives the same numbers from the files of the project."""
    from reclens.job.run import run_job

    project = exercise_of("diagnostics")
    assert isinstance(project, Project)
    draw = Draw(7 << 64, project.code)
    project.write_data(draw, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        found = pl.DataFrame(run_job("job.toml", workspace=tmp_path / "workspace").to_dicts(), infer_schema_length=None)
    found.filter(by="overall").select(*project.keys, *project.columns).write_csv(tmp_path / "numbers.csv")
    text = (tmp_path / "numbers.csv").read_text()
    assert list(project._compared(text, project.kept(project.measured(project_seed(draw))))) == []


def test_a_table_that_is_none_is_named(tmp_path: Path) -> None:
    project = exercise_of("audit")
    assert isinstance(project, Project)
    draw = Draw(7 << 64, project.code)
    project.solve(draw, tmp_path)
    answer = {file: (tmp_path / file).read_text() for file in project.files}
    tables = {"": "table_columns", "a,b\n1,2\n": "table_columns", answer["market.csv"][:-40]: "kept_table_differs"}
    for text, code in tables.items():
        assert [each.code for each in project.judge({**answer, "market.csv": text}, draw)] == [code]
    for text in ("seed = -1", "seed = 'x'", "nosuch = 1", "seed = 1\nfinding = 3"):
        assert [each.code for each in project.judge({**answer, "project.toml": text}, draw)] == ["no_project"]
    assert [each.code for each in project.judge({**answer, "project.toml": "seed = 5"}, draw)] == ["seed_of_project"]


def test_notes_of_some_systems_alone_do_not_end_the_diagnostics(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a small segment the users of one system can all have one value: its interval has a note, no other one has."""
    from reclens.learn.projects import diagnostics

    monkeypatch.setattr(diagnostics, "_SIZE", {"n_users": 100, "n_items": 60, "n_ratings": 2500})
    table = diagnostics.Diagnostics().measure(0).tables["evaluation"]
    assert table.filter(pl.col("note").is_not_null())["system"].unique().to_list() == ["popular"]
    assert table["system"].n_unique() == 4
