"""A file below ``cli/`` is a command; listing the commands imports none of them."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

from reclens import cli
from reclens.cli.registry import find_commands

HELLO = '''"""Say hello."""

from __future__ import annotations

import sys

from reclens.cli.registry import command

__all__ = ["hello"]

assert "--help" not in sys.argv or "hello" in sys.argv, "the list of commands imports a command"


@command("{path}")
def hello(name: str, times: int = 1) -> None:
    """Greet somebody, some times.

    The second paragraph is not in the list.
    """
    print(" ".join([f"hello {{name}}"] * times))
'''


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A command in a folder of its own, which the package ``reclens.cli`` is extended by."""
    path = request.param
    (tmp_path / "hello_there.py").write_text(HELLO.format(path=path))
    monkeypatch.setattr(cli, "__path__", [*cli.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    yield path
    sys.modules.pop("reclens.cli.hello_there", None)


def said(*words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setattr(sys, "argv", ["reclens", *words])
    monkeypatch.setenv("COLUMNS", "120")
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert not end.value.code
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("added", ["say-hello", "models say-hello", "greetings say-hello"], indirect=True)
def test_a_file_is_a_command(added: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    *group, name = added.split()
    tools = {"monkeypatch": monkeypatch, "capsys": capsys}
    listed = said(*group, "--help", **tools)
    assert "say-hello" in listed and "Greet somebody, some times." in listed and "second paragraph" not in listed
    assert said(*group, name, "ann", "--times", "2", **tools) == "hello ann hello ann"
    assert "The second paragraph is not in the list." in said(*group, name, "--help", **tools)


def test_no_command_is_left_in_the_list_without_its_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "say-hello" not in said("--help", monkeypatch=monkeypatch, capsys=capsys)


def test_the_words_of_commands_are_unique_and_their_functions_are_there() -> None:
    commands, helps = find_commands()
    assert len({each.path for each in commands}) == len(commands) > 40
    for each in commands:
        function = getattr(importlib.import_module(each.module), each.function)
        assert inspect.getdoc(function) == each.help, each
        assert 1 <= len(each.path) <= 3
    groups = {each.path[:n] for each in commands for n in range(1, len(each.path))}
    assert ("monitor", "incidents") in groups and all(helps[".".join(group)] for group in groups)
    assert groups.isdisjoint(each.path for each in commands)


def test_help_imports_no_command() -> None:
    modules = sorted({each.module for each in find_commands()[0]})
    code = (
        "import sys, json; from reclens.cli import main\n"
        "for words in (['--help'], ['experiment', '--help']):\n"
        "    sys.argv = ['reclens', *words]\n"
        "    try:\n        main()\n    except SystemExit:\n        pass\n"
        f"print(json.dumps([name for name in {modules!r} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_no_command_is_missed_although_bodies_are_not_read() -> None:
    commands, _ = find_commands()
    found = {(each.module, each.function, each.help) for each in commands}
    declared = set()
    for folder in cli.__path__:
        for file in Path(folder).rglob("*.py"):
            module = ".".join(("reclens.cli", *file.relative_to(folder).with_suffix("").parts)).removesuffix(
                ".__init__"
            )
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.FunctionDef) and any(
                    isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == "command"
                    for each in node.decorator_list
                ):
                    declared.add((module, node.name, ast.get_docstring(node)))
    assert found == declared
    assert len(declared) > 90
