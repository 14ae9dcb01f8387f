"""Settings of a whole job, from TOML: what data, what split, which models, which metrics.

An unknown key is an error that names the section and suggests the right one. Everything has a default, so that a file
only says what differs. ``to_toml`` writes the resolved settings, which are kept beside the results.
"""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from reclens.errors import UsageError, suggest

__all__ = ["Checked", "Section", "explain", "read_toml", "seen_and_expected", "to_toml", "validate", "write_toml"]


_EXPECTED: Final = {
    "greater_than": "expected more than {gt}",
    "greater_than_equal": "expected {ge} or more",
    "less_than": "expected less than {lt}",
    "less_than_equal": "expected {le} or less",
    "literal_error": "expected {expected}",
    "finite_number": "expected a finite number",
    "too_short": "expected {min_length} or more entries",
    "too_long": "expected {max_length} entries at most",
    "string_too_short": "expected a text that is not empty",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), "expected a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "expected a number"),
    **dict.fromkeys(("string_type", "string_unicode"), "expected a text"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "expected true or false"),
    **dict.fromkeys(("list_type", "tuple_type"), "expected a list"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "expected a section of keys and values"),
    **dict.fromkeys(
        ("date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"),
        "expected a date such as 2026-01-05",
    ),
    **dict.fromkeys(
        ("datetime_type", "datetime_parsing", "datetime_from_date_parsing", "datetime_object_invalid"),
        "expected a day or a time such as 2026-01-05",
    ),
}
"""What is said of a finding of pydantic: its own words speak of types of Python."""


class Checked(BaseModel):
    """Settings whose constructor raises our errors: Python code gets the same words as a TOML file."""

    if not TYPE_CHECKING:  # a type checker reads the constructor off the fields

        def __init__(self, /, **values: Any) -> None:
            """Make the settings.

            Raises:
                UsageError: If a value is wrong; with every problem.
            """
            try:
                super().__init__(**values)
            except ValidationError as error:
                problems = "; ".join(explain(problem, type(self)) for problem in error.errors())
                raise UsageError(f"{type(self).__name__}: {problems}.") from None

        # Tells pydantic not to call this constructor for settings within settings: they are part of one validation.
        __init__.__pydantic_base_init__ = True


class Section(BaseModel):
    """A table of settings: an unknown key is an error, and nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_Settings = TypeVar("_Settings", bound=BaseModel)


def read_toml(path: str | Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        UsageError: If the file cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))  # some editors write a mark at the start
    except OSError as error:
        raise UsageError(f"{path}: it cannot be read ({error.strerror or error}).") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: it is not UTF-8. Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: it is not TOML: {error}.") from error


def validate(kind: type[_Settings], content: dict[str, Any], *, source: str) -> _Settings:
    """Check what was read from somewhere against a kind of settings.

    Raises:
        UsageError: If a key is unknown or missing, or a value is wrong; all of them at once, each with its section.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        problems = [explain(problem, kind) for problem in error.errors()]
        raise UsageError(f"{source}: {'; '.join(problems)}.".replace("?.", "?")) from None


def explain(problem: Any, kind: type[BaseModel]) -> str:
    """One finding of pydantic in plain words: section, key, what was seen; an unknown key suggests the right one."""
    unknown_key = problem["loc"][-1:] == ("[key]",)  # of a mapping whose keys are given names
    where = [str(part + 1) if isinstance(part, int) else str(part) for part in problem["loc"]][
        : -1 if unknown_key else None
    ]
    section = f"[{'.'.join(where[:-1])}] " if len(where) > 1 else ""
    if unknown_key:
        return f"{section}has no key '{where[-1]}': expected {problem.get('ctx', {}).get('expected', 'a text')}"
    if problem["type"] == "extra_forbidden":
        known = _keys_of(problem["loc"][:-1], kind)
        return f"{section}has no key '{where[-1]}'.{suggest(where[-1], known)}".rstrip(".")
    if problem["type"] == "missing":
        return f"{section}{where[-1]} is missing"
    if problem["type"] == "value_error":  # our own words, which name the key
        place = f"[{'.'.join(where)}] " if where else ""
        return f"{place}{problem['ctx']['error']}"
    return f"{section}{where[-1] if where else 'it'} is {seen_and_expected(problem)}"


def seen_and_expected(problem: Any) -> str:
    """The value of one finding of pydantic, and what is expected of it, without the words of pydantic."""
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"]).rstrip(".")
    seen = repr(problem["input"])
    seen = seen if len(seen) <= 100 else f"{seen[:80]}…"
    return f"{seen}: {_EXPECTED.get(problem['type'], 'expected something else').format(**problem.get('ctx', {}))}"


def _keys_of(where: tuple[str | int, ...], kind: type[BaseModel]) -> list[str]:
    """The keys of the section at a place: fields are followed through lists, dictionaries and options."""
    for part in where:
        field = kind.model_fields.get(str(part))
        kind = (_section_in(field.annotation) if field is not None else None) or kind
    return list(kind.model_fields)


def _section_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section_in(part)) is not None), None)


def to_toml(settings: BaseModel) -> str:
    """Settings as TOML, everything spelled out; reading it again gives the same ones.

    Example:
        >>> class Job(Section):
        ...     name: str = "mine"
        >>> to_toml(Job()).strip()
        'name = "mine"'
    """
    return write_toml(settings.model_dump(exclude_none=True))


def write_toml(content: dict[str, Any]) -> str:
    """Tables, lists of tables and plain values as TOML.

    Example:
        >>> print(write_toml({"name": "a", "metrics": [{"name": "clicks"}]}), end="")
        name = "a"
        <BLANKLINE>
        [[metrics]]
        name = "clicks"
    """
    # Ours, not tomli_w.dumps: it gives each entry of a list its own line, and writes short tables of a list in braces.
    lines: list[str] = []
    _write_table(content, [], lines)
    return "\n".join(lines).strip() + "\n"


def _write_table(table: dict[str, Any], path: list[str], lines: list[str], *, listed: bool = False) -> None:
    below = {key for key, value in table.items() if isinstance(value, dict) or _is_tables(value)}
    plain = {key: value for key, value in table.items() if key not in below}
    name = ".".join(_key(part) for part in path)
    if listed:
        lines += ["", f"[[{name}]]"]
    elif path and (plain or not table):
        lines += ["", f"[{name}]"]
    lines += [f"{_key(key)} = {_value(value)}" for key, value in plain.items()]
    for key in table:
        if key in below:
            several = _is_tables(table[key])
            for each in table[key] if several else [table[key]]:
                _write_table(each, [*path, key], lines, listed=several)


def _is_tables(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(each, dict) for each in value)


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(each) for each in value)}]"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        # JSON's escapes are TOML's for a basic string, but for the delete character.
        import json

        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)
