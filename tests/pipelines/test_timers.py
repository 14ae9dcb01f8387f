"""The files for cron and systemd: each of their commands runs, and systemd itself reads its units."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest

CRON = re.compile(r"(?P<time>(?:\S+ ){5})(?P<user>\S+) cd (?P<folder>\S+) && (?P<commands>.+)")


def sections(unit: Path) -> configparser.ConfigParser:
    found = configparser.ConfigParser(strict=True, interpolation=None)
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read_string(unit.read_text())
    return found


@pytest.fixture(scope="module")
def commands(repository: Path) -> list[str]:
    """Every command of both, each as it stands there."""
    table = (repository / "pipelines" / "cron" / "reclens").read_text().splitlines()
    lines = [
        CRON.fullmatch(line) for line in table if line and not line.startswith(("#", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    ]
    found = [part.strip() for line in lines if line for part in line["commands"].split("||")]
    assert len(found) == 4 and all(line is not None and line["folder"] == "/srv/reclens" for line in lines)
    units = sorted((repository / "pipelines" / "systemd").glob("*.service"))
    return found + [sections(each)["Service"]["ExecStart"].removeprefix("/srv/reclens/") for each in units]


def test_each_command_runs(
    commands: list[str],
    tmp_path: Path,
    monitored: ModuleType,
    in_process: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date()
    folder = monitored.make_shop(tmp_path / "workspace" / "monitor", yesterday - timedelta(days=monitored.PAST))
    monitored.log_of(yesterday).write_parquet(folder / "log" / f"{yesterday}.parquet")
    for text in dict.fromkeys(commands):
        binary, *words = shlex.split(text)
        assert binary == ".venv/bin/reclens"
        done = in_process(*words, cwd=tmp_path)
        assert done.returncode == 0, f"{text}\n{done.stderr}"
    told = (folder / "notices.jsonl").read_text()
    assert f"failed:run:{yesterday}" in told and "not_run" not in told


def test_every_timer_starts_its_service_and_each_service_that_is_named_is_there(repository: Path) -> None:
    folder = repository / "pipelines" / "systemd"
    timers = sorted(folder.glob("*.timer"))
    assert len(timers) == 2 and all(each.with_suffix(".service").is_file() for each in timers)
    assert (folder / sections(folder / "reclens-monitor.service")["Unit"]["OnFailure"]).is_file()


def test_systemd_reads_its_units(repository: Path, tmp_path: Path) -> None:
    analyse = shutil.which("systemd-analyze")
    if analyse is None:
        pytest.skip("there is no systemd-analyze: units are read by Python alone")
    for unit in (repository / "pipelines" / "systemd").iterdir():
        text = unit.read_text().replace("/srv/reclens/.venv/bin/reclens", "/bin/true").replace("/srv/reclens", "/")
        (tmp_path / unit.name).write_text(text.replace("User=reclens", "User=root"))
    calls = [analyse, "verify", *map(str, sorted(tmp_path.iterdir()))]
    done = subprocess.run(calls, capture_output=True, text=True)
    assert done.returncode == 0 and "reclens" not in done.stderr, done.stderr
    times = [sections(each)["Timer"]["OnCalendar"] for each in sorted(tmp_path.glob("*.timer"))]
    assert subprocess.run([analyse, "calendar", *times], capture_output=True).returncode == 0
