"""What the commands of the monitor do with what is named beside each other."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from reclens.cli.app import app

MONITOR = ("monitor",)
COMMANDS = (
    ("check", "--date", "2026-01-05"),
    ("annotate",),
    ("learn",),
    ("replay", "--from", "2026-01-05", "--to", "2026-01-06"),
    ("incidents", "list"),
    ("incidents", "ack", "0edea9b1"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_workspace_that_would_not_be_used_is_refused(command: tuple[str, ...], tmp_path: Path) -> None:
    both = ["--project", str(tmp_path / "watch"), "--workspace", str(tmp_path)]
    done = CliRunner().invoke(app, [*MONITOR, *command, *both])
    assert done.exit_code == 2 and "--workspace would not be used beside --project" in done.output


def test_a_run_keeps_its_day_in_the_workspace_that_is_named(tmp_path: Path) -> None:
    both = ["--project", str(tmp_path / "watch"), "--workspace", str(tmp_path)]
    done = CliRunner().invoke(app, [*MONITOR, "run", "--date", "2026-01-05", *both])
    assert "monitor init" in done.output and "would not be used" not in done.output
