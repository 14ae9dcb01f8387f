"""The registry of commands: every function below ``cli/`` decorated with :func:`command` is a command.

The files are parsed for ``reclens --help``; only the running command is imported.
"""

from __future__ import annotations

import ast
import copy
import functools
import importlib
import re
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from functools import lru_cache
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

__all__ = ["SETTINGS", "CommandSource", "Group", "command", "find_commands"]

_DECLARED: Final = re.compile(r'^@command\(.*?^    r?""".*?"""$\n', re.DOTALL | re.MULTILINE)
"""A command without its body, which is most of the source and would take most of the time of ``reclens --help``."""

F = TypeVar("F", bound=Callable[..., Any])

SETTINGS = {"help_option_names": ["-h", "--help"]}
"""Settings of every command and group."""


def command(path: str, *, serves: bool = False) -> Callable[[F], F]:
    """Make a function a command of ``reclens``.

    The function is returned unchanged. Its signature gives the arguments and options, its docstring the help. While it
    runs without progress, a line every few seconds reports that it is running.

    Args:
        path: The words of the command, as a literal: ``"evaluate"``, or ``"data info"`` for a command of a group. The
            help of a group is the docstring of ``cli/GROUP.py`` or of the package ``cli/GROUP/``; the help of a nested
            group is the docstring of ``cli/GROUP/GROUP.py``.
        serves: Whether it runs until it is stopped, and therefore reports no progress.
    """
    del path, serves  # read by find_commands, from the source
    return lambda function: function


@dataclass(frozen=True, kw_only=True)
class CommandSource:
    """The definition of a command in the source.

    Attributes:
        path: The words of the command.
        module: Its module.
        function: Name of its function.
        help: The docstring of the function.
        serves: Whether it runs until it is stopped.
    """

    path: tuple[str, ...]
    module: str
    function: str
    help: str
    serves: bool = False

    def load(self) -> Any:
        """Import the module and build the command."""
        from reclens.cli.bundles import expanded

        # A Typer application with a single function becomes that command.
        app = typer.Typer(add_completion=False, rich_markup_mode="rich", context_settings=SETTINGS)
        function = expanded(getattr(importlib.import_module(self.module), self.function))

        @functools.wraps(function)
        def shown(**given: Any) -> Any:
            from reclens.cli.option_names import runs
            from reclens.cli.progress import under_way

            runs(given)
            with under_way(" ".join(self.path), quiet=bool(given.get("quiet"))):
                return function(**given)

        app.command(self.path[-1])(function if self.serves else shown)
        return get_command(app)


def find_commands() -> tuple[list[CommandSource], dict[str, str]]:
    """Return all commands below ``cli/``, sorted by their words, and the help of the groups by name."""
    from reclens import cli

    return _find(tuple(cli.__path__))


@lru_cache(maxsize=4)
def _find(folders: tuple[str, ...]) -> tuple[list[CommandSource], dict[str, str]]:
    commands: list[CommandSource] = []
    helps: dict[str, str] = {}
    for file, module in _files(folders):
        text = file.read_text(encoding="utf-8")
        head = ast.parse(text.partition("\nfrom __future__")[0])
        helps[module.removeprefix("reclens.cli.")] = ast.get_docstring(head) or ""
        for node in ast.parse("".join(_DECLARED.findall(text))).body:
            if isinstance(node, ast.FunctionDef):
                commands += [
                    CommandSource(
                        path=tuple(said[0].split()),
                        module=module,
                        function=node.name,
                        help=ast.get_docstring(node) or "",
                        serves=said[1],
                    )
                    for said in map(_said, node.decorator_list)
                    if said is not None
                ]
    return sorted(commands, key=lambda each: each.path), helps


def _files(folders: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    """Return the files below ``cli/`` that may define commands, with their module names."""
    for folder in map(Path, folders):
        for file in sorted(folder.rglob("*.py")):
            parts = file.relative_to(folder).with_suffix("").parts
            if parts[-1] == "__init__":
                parts = parts[:-1]
            if parts and not parts[-1].startswith("_"):
                yield file, ".".join(("reclens.cli", *parts))


def _said(decorator: ast.expr) -> tuple[str, bool] | None:
    """Return the words of a command and whether it serves, or None for another decorator."""
    match decorator:
        case ast.Call(func=ast.Name(id="command"), args=[ast.Constant(value=str(path))], keywords=said):
            return path, any(each.arg == "serves" for each in said)
        case _:
            return None


class Group(TyperGroup):
    """A group of commands that are imported on use."""

    def __init__(self, *, sources: dict[str, CommandSource | Group] | None = None, **attributes: Any) -> None:
        super().__init__(**attributes)
        self._sources = sources if sources is not None else _grouped()
        self.commands = _Loaded(self._sources)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help from the docstrings without importing a command."""
        listed = copy.copy(self)
        listed.commands = {
            name: source if isinstance(source, Group) else TyperCommand(name, help=source.help, rich_markup_mode="rich")
            for name, source in self._sources.items()
        }
        TyperGroup.format_help(listed, ctx, formatter)


class _Loaded(MutableMapping[str, Any]):
    """A mapping of names to commands, which are imported on access."""

    def __init__(self, sources: dict[str, CommandSource | Group]) -> None:
        self._sources, self._loaded = sources, dict[str, Any]()

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            source = self._sources[name]
            self._loaded[name] = source if isinstance(source, Group) else source.load()
        return self._loaded[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._loaded[name] = value

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)


def _grouped(above: tuple[str, ...] = ()) -> dict[str, CommandSource | Group]:
    """Return the commands and groups of the root, or of a group, by name."""
    commands, helps = find_commands()
    found: dict[str, CommandSource | Group] = {}
    for each in commands:
        if each.path[: len(above)] != above:
            continue
        name, *rest = each.path[len(above) :]
        if not rest:
            found[name] = each
        elif name not in found:
            found[name] = Group(
                name=name,
                sources=_grouped((*above, name)),
                help=cleandoc(helps.get(".".join((*above, name)), "")),
                no_args_is_help=True,
                rich_markup_mode="rich",
                context_settings=SETTINGS,
            )
    return found
