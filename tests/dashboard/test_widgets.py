"""When to use a metric and when it misleads is said wherever a metric is explained."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from reclens import metrics
from reclens.cli.app import app
from reclens.dashboard import widgets
from reclens.workspace import Workspace


def flat(text: str) -> str:
    return " ".join(text.replace("\\", "").replace("`", "").split())


def test_the_pages_say_when_to_use_a_metric_and_when_it_misleads(open_page: Any, workspace: Workspace) -> None:
    chosen = ["ndcg@10", "diversity@10", "coverage@10"]
    page = open_page("diagnostics", unfold="metrics", metrics=chosen)
    shown = flat("\n".join(str(each.value) for each in page.text))
    heads = [each.help for each in page.markdown if each.help] + [
        column.get("help", "") for each in page.dataframe for column in columns_of(each)
    ]
    for name in chosen:
        info = metrics.describe(name)
        for said in (f"Use when: {info.use_when}", f"Misleads when: {info.misleads_when}"):
            assert flat(said) in shown, "the definitions below the page"
            assert any(flat(said) in flat(each) for each in heads), "the help of a chart or of a column"


def columns_of(frame: Any) -> list[dict[str, Any]]:
    return [each for each in json.loads(frame.proto.columns or "{}").values() if isinstance(each, dict)]


@pytest.mark.parametrize("name", metrics.names())
def test_the_help_the_command_and_the_reference_say_it_of_every_metric(name: str, repository: Path) -> None:
    info = metrics.describe(name)
    said = [f"Use when: {info.use_when}", f"Misleads when: {info.misleads_when}"]
    done = CliRunner().invoke(app, ["metrics", "show", name])
    page = (repository / "docs" / "metrics.md").read_text(encoding="utf-8").replace("`", "")
    rows = re.findall(rf"\| \[{name}(?:@k)?\]\(#{name}\) \|[^\n]*", page)
    assert any(flat(info.use_when) in flat(row) and flat(info.misleads_when) in flat(row) for row in rows)
    for each in said:
        assert flat(each) in flat(widgets._definition(name) or "") and flat(each) in flat(done.output)
