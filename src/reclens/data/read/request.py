"""The options of a command or a job for reading its files: which option applies to which table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from reclens.data.read.kinds import kind_of
from reclens.data.read.streams import STANDARD_INPUT
from reclens.errors import Advice, Setting, UnknownNameError, UsageError, in_python

__all__ = ["ADVICE_TEXTS", "Reading", "Words", "is_about_reading", "named_by"]

Words = Literal["options", "toml", "python"]

_TEXT: Final = ("decimal", "delimiter", "encoding", "escape", "header", "quote")
_OPTIONS: Final = ("bad_rows", "between", "duplicates", "form", "query", "table", "timestamp_format", *_TEXT)
_LABELS: Final[Mapping[Words, Mapping[str, str]]] = {
    "options": {"columns": "--column", **{name: f"--{name}" for name in ("read", "lists", "ids", "users", "items")}},
    "toml": {name: f"[data] {name}" for name in ("columns", "read", "lists", "ids", "users", "items")},
    "python": {"read": "", **{name: f"{name}=" for name in ("columns", "lists", "ids", "users", "items")}},
}
_ID_FORMS: Final = ("text", "unpadded")
_RAW: Final = ("between", "delimiter", "escape", "quote")
"""Options whose values may consist of blanks."""
_ALL: Final = frozenset({"columns", *_OPTIONS})
_TAKEN: Final[Mapping[str, frozenset[str]]] = {
    "text": _ALL,
    "json": _ALL - set(_TEXT) | {"encoding"},
    "typed": _ALL - set(_TEXT),
    "trec": frozenset({"encoding"}),
    "recbole": frozenset({"columns", "duplicates", "bad_rows", "delimiter", "encoding"}),
    "movielens": frozenset(),
    "complete_journey": frozenset(),
}
"""Options that each kind of file accepts."""
_UNITS: Final = _ALL - {"duplicates", "bad_rows", "timestamp_format", "form", "between"}
"""Options that readers of tables with other columns accept."""
_SIDES: Final = _ALL - {"duplicates", "timestamp_format", "form", "between"}
_ROLES: Final[Mapping[str, frozenset[str]]] = {
    "data": _ALL,
    "ratings": _ALL,
    "train": _ALL,
    "test": _ALL,
    "validation": _ALL,
    "lists": _ALL - {"duplicates", "timestamp_format"},
    "users": _SIDES,
    "items": _SIDES,
    "impressions": _UNITS,
}
"""Options that the reader of each table accepts; other tables accept all but ``duplicates``."""
_OF_LISTS: Final = ("rank", "score")
_OF_SIDES: Final = ("encoding", "decimal", "bad_rows")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the files of one command are read.

    Attributes:
        paths: Table -> its path, None where it is not given.
        said: (table, or "" for all; ``"columns"`` or an option; column, or "") -> the given value.
        lists: List-valued attributes and their separators.
        ids: The common format of all ids, or None.
        words: Whether advice names options of the command line, keys of TOML or arguments of Python.
        units: Whether the tables have other columns than the schema, such as those of units of an experiment.
    """

    paths: Mapping[str, str | None] = field(default_factory=dict)
    said: Mapping[tuple[str, str, str], Any] = field(default_factory=dict)
    lists: Mapping[str, str] = field(default_factory=dict)
    ids: Literal["text", "unpadded"] | None = None
    words: Words = "options"
    units: bool = False

    @classmethod
    def from_options(
        cls,
        paths: Mapping[str, str | None],
        *,
        column: list[str] | None = None,
        read: list[str] | None = None,
        lists: list[str] | None = None,
        ids: str | None = None,
        units: bool = False,
    ) -> Reading:
        """From ``--column``, ``--read``, ``--lists`` and ``--ids``; ``-c rating=`` leaves a column out.

        Raises:
            UsageError: If one cannot be parsed, is given twice, or applies to no file.
        """
        columns = {name: _place(value) for name, value in _pairs(column, "--column").items()}
        return cls.of_settings(
            paths,
            columns=columns,
            read=_pairs(read, "--read"),
            lists=_pairs(lists, "--lists"),
            ids=ids,
            words="options",
            units=units,
        )

    @classmethod
    def of_settings(
        cls,
        paths: Mapping[str, str | None],
        *,
        columns: Mapping[str, str | int | None],
        read: Mapping[str, Any],
        lists: Mapping[str, str],
        ids: str | None,
        words: Words,
        units: bool = False,
    ) -> Reading:
        """From mappings, as in a job; a name is ``column`` or ``table:column``.

        Raises:
            UsageError: As :meth:`from_options`.
        """
        label = _LABELS[words]
        if ids is not None and ids not in _ID_FORMS:
            raise UnknownNameError(f"value of {label['ids']}", ids, _ID_FORMS)
        said: dict[tuple[str, str, str], Any] = {}
        for name, theirs in columns.items():
            table, ours = _table_of(name, paths, label["columns"])
            said[table, "columns", ours] = None if theirs == "" else theirs
        for name, value in read.items():
            table, option = _table_of(name, paths, label["read"])
            if option not in _OPTIONS:
                raise UnknownNameError(f"option of {label['read']}", option, _OPTIONS)
            said[table, option, ""] = _value(option, value, label["read"])
        for name, between in lists.items():
            if not between:
                raise UsageError(f"{label['lists']}: say what is between the values of '{name}', as {name}=|.")
        made = cls(paths=paths, said=said, lists=lists, ids=ids, words=words, units=units)  # type: ignore[arg-type]
        made._check()
        return made

    def to_settings(self) -> dict[str, Any]:
        """As the section ``[data]`` of a job: ``columns``, ``read``, ``lists``, ``ids``, and the paths."""
        columns: dict[str, Any] = {}
        read: dict[str, Any] = {}
        for (table, what, ours), value in self.said.items():
            where = f"{table}:" if table and table != "data" else ""
            if what == "columns":
                columns[where + ours] = "" if value is None else value
            else:
                read[where + what] = value
        found = {
            "path": self.paths.get("data"),
            "users": self.paths.get("users"),
            "items": self.paths.get("items"),
            "columns": columns,
            "read": read,
            "lists": dict(self.lists),
            "ids": self.ids,
        }
        return {name: value for name, value in found.items() if value}

    def of(self, table: str) -> dict[str, Any]:
        """Arguments for the reader of a table: its own options, and those of all tables that it accepts."""
        taken, how = self._taken(table), dict[str, Any]()
        for (where, what, ours), value in sorted(self.said.items(), key=lambda each: each[0][0]):
            if where not in ("", table) or (
                not where and (what not in taken or not self._for(table, what, ours, value))
            ):
                continue
            if what == "columns":
                how.setdefault("columns", {})[ours] = value
            else:
                how[what] = value
        return how

    def _for(self, table: str, what: str, ours: str, value: Any) -> bool:
        """Whether an option of all tables applies to this one."""
        if table in ("users", "items"):
            # Other tables than the interactions share only the format of text and the name of the id with them.
            return what in _OF_SIDES or (ours == f"{table.removesuffix('s')}_id" and isinstance(value, str))
        return ours not in _OF_LISTS or table == "lists" or "lists" not in self.paths

    def own(self, table: str) -> bool:
        """Whether an option is given for this table alone."""
        return any(where == table for where, _, _ in self.said)

    def prefix(self, table: str) -> str:
        """Prefix of options for one table, if the command reads several."""
        return f"{table}:" if sum(path is not None for path in self.paths.values()) > 1 else ""

    def kind(self, table: str) -> str:
        """Kind of the file of a table: text, json, typed, trec, recbole, movielens or complete_journey."""
        path = self.paths.get(table)
        return "text" if path is None else kind_of(path, table)

    def label(self, what: str) -> str:
        """The name of ``columns, lists, ids, users`` or ``items`` on the command line, in TOML or in Python."""
        return _LABELS[self.words][what]

    def refuse_all(self, reason: str) -> None:
        """Raise an error if any option is given, because no file is read.

        Raises:
            UsageError: If anything was.
        """
        label = _LABELS[self.words]
        said = [label[side] for side in ("users", "items") if self.paths.get(side) is not None]
        said += [self._called(what) for _, what, _ in self.said]
        said += [label["lists"]] * bool(self.lists) + [label["ids"]] * bool(self.ids)
        if said:
            raise UsageError(f"{', '.join(dict.fromkeys(said))} cannot be used: {reason}.")

    def _called(self, what: str) -> str:
        label = _LABELS[self.words]
        if self.words == "python":
            return f"{what}="
        return label["columns"] if what == "columns" else f"{label['read']} {what}"

    def _taken(self, table: str) -> frozenset[str]:
        role = _UNITS if self.units else _ROLES.get(table, _ALL - {"duplicates"})
        return _TAKEN[self.kind(table)] & role

    def _check(self) -> None:
        """Raise an error for options that apply to no file."""
        named = [table for table, path in self.paths.items() if path is not None]
        piped = [table for table in named if self.paths[table] in STANDARD_INPUT]
        if len(piped) > 1:
            raise UsageError(f"{' and '.join(piped)} are both standard input, which can be read once: name a file.")
        for table, what, _ in self.said:
            option = self._called(what)
            if table and self.paths[table] is None and what != "query":
                raise UsageError(f"{option} is about {table}, which is not given: pass the file too.")
            takers = [table] if table else named
            if takers and not any(what in self._taken(each) for each in takers):
                kinds = ", ".join(f"{self.paths[each]} ({_CALLED[self.kind(each)]})" for each in takers)
                raise UsageError(f"{option} cannot be used for {kinds}: leave it out.")
        if self.lists and not any(self.paths.get(side) for side in ("users", "items")):
            label = _LABELS[self.words]
            raise UsageError(
                f"{label['lists']} is about attributes: name a file by {label['items']} or {label['users']}."
            )


_CALLED: Final = {
    "text": "text, in this place",
    "json": "JSON",
    "typed": "whose columns have types",
    "trec": "a file of TREC",
    "recbole": "files of RecBole",
    "movielens": "MovieLens, whose layout is known",
    "complete_journey": "the Complete Journey, whose layout is known",
}


def is_about_reading(advice: Advice) -> bool:
    """Whether all settings of an advice are arguments of the readers; ids=False excludes ``ids``."""
    return all(
        each.name in _ALL or (each.name == "ids" and not isinstance(each.value, bool)) for each in advice.settings
    )


ADVICE_TEXTS: Final[Mapping[str, str]] = {
    "choose_member": "Choose one by {table}.",
    "ids_as_text": "Read all tables with {ids}.",
    "ids_unpadded": "Read all tables with {ids}, which takes the zeros off.",
}
"""Code of an advice -> its sentence outside Python."""


def named_by(words: Words, table: str = "") -> Callable[[Setting], str]:
    """Write an argument of the readers for the command line, a job or Python.

    Args:
        words: Where it will be shown.
        table: Prefix of options for one table of several, such as ``"truth:"``.

    Example:
        >>> for words in ("options", "toml", "python"):
        ...     named = named_by(words, "truth:")
        ...     print(named(Setting("bad_rows", "drop")), named(Setting("columns", {"rating": None})), sep="  ")
        --read truth:bad_rows=drop  --column truth:rating=
        read = { "truth:bad_rows" = "drop" }  columns = { "truth:rating" = "" }
        bad_rows="drop"  columns={'rating': None}
    """

    def option(setting: Setting) -> str:
        name, value = setting.name, setting.value
        if name == "columns" and value is None:
            return "--column"
        if name == "columns":
            places = [f"--column {table}{ours}={_shell('' if at is None else str(at))}" for ours, at in value.items()]
            return " ".join(places)
        shown = "…" if value is None else str(value).lower() if isinstance(value, bool) else _shell(value)
        if name not in _ALL:
            return f"--{name.replace('_', '-')}" + ("" if value is None else f" {shown}")
        return f"--read {table}{name}={shown}"

    def key(setting: Setting) -> str:
        name, value = setting.name, setting.value
        if name == "columns" and value is None:
            return "columns"
        if name == "columns":
            places = [f"{_key(table + ours)} = {_text('' if at is None else at)}" for ours, at in value.items()]
            return f"columns = {{ {', '.join(places)} }}"
        shown = "…" if value is None else _text(value)
        if name == "duplicates" or name not in _ALL:
            return name if value is None else f"{name} = {shown}"
        return f"read = {{ {_key(table + name)} = {shown} }}"

    return {"options": option, "toml": key, "python": in_python}[words]


def _shell(value: str) -> str:
    import shlex

    return value if re.fullmatch(r"[^\s'\"$&|;<>()*?`\\]*", value) else shlex.quote(value)


def _text(value: str | int) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    return f'"{name}"' if ":" in name else name


def _pairs(values: list[str] | None, option: str) -> dict[str, str]:
    """Parse options of the form ``name=value``.

    Raises:
        UsageError: If one has no ``=``, or a name comes twice.
    """
    found: dict[str, str] = {}
    for value in values or []:
        name, equals, right = value.partition("=")
        name = name.strip()
        if not equals or not name:
            raise UsageError(f"{option} {value!r}: expected name=value.")
        if name in found:
            raise UsageError(f"{option} {name}= is given twice: {found[name]!r} and {right!r}.")
        found[name] = right if option == "--lists" or name.rpartition(":")[2] in _RAW else right.strip()
    return found


def _table_of(name: str, paths: Mapping[str, str | None], option: str) -> tuple[str, str]:
    """Split an optional table off a name; "" stands for all tables."""
    table, colon, rest = name.partition(":")
    if not colon:
        return "", name
    if table not in paths:
        raise UnknownNameError(f"table in {option} {name}", table, paths)
    return table, rest


def _place(value: str) -> str | int:
    """A column by name, or by index if the text consists of digits."""
    return int(value) if value.isascii() and value.isdigit() else value


def _value(option: str, value: Any, label: str) -> Any:
    """Convert the text of an option to the type that the readers expect.

    Raises:
        UsageError: If the value is not valid.
    """
    if option == "header":
        told = {"true": True, "yes": True, "false": False, "no": False}.get(str(value).lower())
        if told is None:
            raise UsageError(f"{label} {option}={value}: expected true or false.")
        return told
    if not isinstance(value, str):
        raise UsageError(f"{label} {option} is {value!r}, expected text.")
    if option == "quote":
        return value or None
    if option in _RAW:
        value = value.replace("\\t", "\t") if option in ("between", "delimiter") else value
        if not value:
            raise UsageError(f"{label} {option}=: expected a character; leave it out where there is none.")
    return value
