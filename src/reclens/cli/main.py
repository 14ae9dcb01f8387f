"""Entry point of the command line, without heavy imports, so that Ctrl-C works from the start."""

from __future__ import annotations

import re
import sys
import warnings

from reclens.cli.ending import closed_streams_stand_in, end, interrupts_are_noted

__all__ = ["main"]


def main() -> None:
    """Run the command line.

    Exit status: 0 success, 1 a finding, 2 wrong use or bad data, 70 an internal error, 130 interrupted.
    """
    warnings.showwarning = _warn
    with interrupts_are_noted():
        try:
            closed_streams_stand_in()
            _refuse_empty(sys.argv[1:])
            from reclens.cli.app import app

            try:
                app()
            finally:
                sys.stdout.flush()
        except SystemExit:
            raise
        except BaseException as error:
            raise SystemExit(end(error)) from None


def _warn(message: Warning | str, *_: object) -> None:
    """Format a warning as one line, without its location in the code."""
    from reclens.cli.option_names import as_option, texts
    from reclens.errors import RecLensWarning

    said = message.said(as_option, texts()) if isinstance(message, RecLensWarning) else str(message)
    print(f"reclens: {said}", file=sys.stderr)


def _refuse_empty(words: list[str]) -> None:
    """Raise an error for an empty value, such as an unset shell variable, which would count as no value.

    Raises:
        UsageError: With the name of the option, or the position of the argument.
    """
    from reclens.errors import UsageError

    for place, word in enumerate(words):
        if re.fullmatch(r"--[a-z-]+=", word):
            raise UsageError(f"{word[:-1]} is empty. Give it a value, or leave it out.")
        if not word.strip():
            before = words[place - 1] if place else ""
            what = before if before.startswith("-") else f"argument {place + 1}"
            raise UsageError(f"{what} is empty. Give it a value, or leave it out.")
