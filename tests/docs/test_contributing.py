"""The examples of CONTRIBUTING work: each is put into its folder as a file of its own, and used."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from reclens import cli, edges
from reclens.protocols import Notifier, adapter

Place = Callable[[str, ModuleType, str], None]


@pytest.fixture
def place(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Puts the example below a heading into a package, under a name."""
    placed = []

    def put(heading: str, package: ModuleType, name: str) -> None:
        section = (repository / "CONTRIBUTING.md").read_text(encoding="utf-8").split(f"## {heading}\n")[1]
        (tmp_path / f"{name}.py").write_text(section.split("```python\n")[1].split("```")[0], encoding="utf-8")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
        importlib.invalidate_caches()
        placed.append(f"{package.__name__}.{name}")

    yield put
    for name in placed:
        sys.modules.pop(name, None)


def test_the_command_is_found_and_runs(place: Place, monkeypatch, capsys) -> None:
    place("Add a command in one file", cli, "hello")
    monkeypatch.setattr(sys, "argv", ["reclens", "hello", "--name", "Ada"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert not end.value.code and capsys.readouterr().out == "hello Ada\n"


def test_the_adapter_is_found_and_sends(place: Place, tmp_path: Path) -> None:
    place("Add an adapter in one file", edges, "textfile")
    notifier = adapter(f"textfile:{tmp_path / 'alerts.txt'}", Notifier)
    notifier.send("NDCG fell", "0.31 to 0.24", severity="warning")
    notifier.send("NDCG is back", "0.32")
    written = (tmp_path / "alerts.txt").read_text(encoding="utf-8")
    assert written == "warning: NDCG fell\n0.31 to 0.24\ninfo: NDCG is back\n0.32\n"
