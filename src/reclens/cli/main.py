"""Where the command line begins and ends. Nothing heavy is imported here: Ctrl-C is heeded from the first moment."""

from __future__ import annotations

import re
import sys
import warnings

from reclens.cli.ending import closed_streams_stand_in, end, interrupts_are_noted

__all__ = ["main"]


def main() -> None:
    """Run the command line.

    Exit status: 0 fine, 1 a finding, 2 wrong use or bad data, 70 a fault of RecLens, 130 interrupted.
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
    """A warning as one line: where in our code it was raised is nothing to a person at a terminal."""
    from reclens.data.read.request import in_words_of

    print(f"reclens: {in_words_of('options', str(message))}", file=sys.stderr)


def _refuse_empty(words: list[str]) -> None:
    """Refuse a value that is empty, as of a variable of the shell that is not set: it would be taken for none.

    Raises:
        UsageError: Naming the option, or the place of the argument.
    """
    from reclens.errors import UsageError

    for place, word in enumerate(words):
        if re.fullmatch(r"--[a-z-]+=", word):
            raise UsageError(f"{word[:-1]} is empty. Give it a value, or leave it out.")
        if not word.strip():
            before = words[place - 1] if place else ""
            what = before if before.startswith("-") else f"argument {place + 1}"
            raise UsageError(f"{what} is empty. Give it a value, or leave it out.")
