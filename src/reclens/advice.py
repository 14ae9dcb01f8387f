"""What a reader can do: records that Python, the command line and the dashboard each write in their own words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Advice", "Setting", "in_python"]


@dataclass(frozen=True)
class Setting:
    """A parameter that an advice names.

    Attributes:
        name: The parameter, as Python functions call it.
        value: The value to give it; None where the reader chooses.
        of: What has it: the function that is called; a model, of which it is a hyper-parameter; or what saves an
            artefact.
        typed: Whether the reader is to type it; False where it is only talked about: ``k`` and not ``k=``.
    """

    name: str
    value: Any = None
    of: Literal["call", "model", "save"] = "call"
    typed: bool = True


def in_python(setting: Setting) -> str:
    """A setting as an argument of Python.

    >>> in_python(Setting("days")), in_python(Setting("unknown_arms", "drop")), in_python(Setting("k", typed=False))
    ('days=', 'unknown_arms="drop"', 'k')
    """
    value = setting.value
    if not setting.typed:
        return setting.name
    return f"{setting.name}=" + ("" if value is None else f'"{value}"' if isinstance(value, str) else repr(value))


@dataclass(frozen=True)
class Advice:
    """What the reader can do. Each surface names the settings in its own way: arguments, options or fields.

    Attributes:
        code: What to do, for programs.
        settings: The parameters that it names.
        text: The sentence, with ``{name}`` where a setting stands, or its place, ``{0}``, where two have one name;
            empty where ``report`` has the sentence of the code.

    Example:
        >>> advice = Advice("drop_arms", (Setting("unknown_arms", "drop"),), "Leave them out by {unknown_arms}.")
        >>> advice.said(), advice.said(lambda setting: "--drop-unknown-arms")
        ('Leave them out by unknown_arms="drop".', 'Leave them out by --drop-unknown-arms.')
    """

    code: str
    settings: tuple[Setting, ...] = ()
    text: str = ""

    def said(self, named: Callable[[Setting], str] = in_python, *, text: str | None = None) -> str:
        """The sentence, with each setting as ``named`` writes it.

        Args:
            named: How a surface writes a setting.
            text: The sentence of a surface that says it otherwise, or where the record has none of its own.
        """
        written = [named(each) for each in self.settings]
        names = [each.name for each in self.settings]
        return (self.text if text is None else text).format(*written, **dict(zip(names, written, strict=True)))
