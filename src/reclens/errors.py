"""Every error RecLens raises on purpose, in one tree.

::

    RecLensError                 also a …
    ├── DataError                ValueError        a table or file is not what it has to be: file, column, row, mend
    │   └── UnmatchedIdsError                      no id of one table is in another: names the likely cause
    ├── UsageError               ValueError        a call cannot mean anything: wrong argument, unknown name
    │   ├── ArgumentTypeError    TypeError         an argument is of a type that is not taken
    │   ├── ArgumentValueError                     an argument is out of range; every surface names it its own way
    │   ├── ArgumentValuesError                    several arguments are, or do not go together; likewise
    │   ├── UnknownNameError                       a metric, model, column or artefact that does not exist
    │   └── NotEnoughMemoryError MemoryError       a step takes more memory than there is: bytes, and a smaller way
    ├── ProtocolError            ValueError        the numbers would not answer the question
    │   ├── LeakError                              test data reached the training side
    │   └── IncomparableError                      two results were not measured alike
    ├── NotFittedError           RuntimeError      a model was asked before it was fitted
    ├── MissingExtraError        ImportError       an optional library is absent: names the pip line
    └── WorkspaceError           OSError           an artefact is missing or in the way, or cannot be written
        ├── NameTakenError       FileExistsError   something has that name already, or another process is writing it
        └── StoreError           ConnectionError   another system cannot be reached, or refuses a request: code, answer

Each is a standard error too, so that ``except ValueError`` of code that knows nothing of RecLens works. Each message
says what was seen, what was expected and what to do. ``str(error)`` is made for a terminal. All of them pickle.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from reclens.advice import Advice, Setting, in_python

__all__ = [
    "Advice",
    "ArgumentTypeError",
    "ArgumentValueError",
    "ArgumentValuesError",
    "DataError",
    "IncomparableError",
    "LeakError",
    "MissingExtraError",
    "NameTakenError",
    "NotEnoughMemoryError",
    "NotFittedError",
    "ProtocolError",
    "RecLensError",
    "RecLensWarning",
    "Setting",
    "StoreError",
    "StoreProblem",
    "UnknownNameError",
    "UnmatchedIdsError",
    "UsageError",
    "WorkspaceError",
    "expect_type",
    "first_line",
    "in_python",
    "show_bytes",
    "suggest",
]


_NO_TEXTS: Final[Mapping[str, str]] = {}


class _AdvisedError(Exception):
    """What names parameters in an advice; ``str`` writes them as arguments of Python."""

    def __init__(self, message: str = "", *, advice: Advice | None = None) -> None:
        self.advice = advice
        super().__init__(message)

    def __str__(self) -> str:
        return self.said()

    def said(self, named: Callable[[Setting], str] = in_python, texts: Mapping[str, str] = _NO_TEXTS) -> str:
        """The message, with the settings of its advice as a surface writes them.

        Args:
            named: How a surface writes a setting.
            texts: Code of an advice -> its sentence on that surface, where it says it otherwise.
        """
        message, advice = super().__str__(), self.advice
        if advice is None:
            return message
        ended = message if message.endswith("?") else f"{message.rstrip('.')}."
        return f"{ended} {advice.said(named, text=texts.get(advice.code))}"


class RecLensWarning(_AdvisedError, UserWarning):  # noqa: N818 - a warning is no error
    """The root of the warnings that name a parameter; arguments as of :class:`RecLensError`."""


class RecLensError(_AdvisedError):
    """The root: ``except RecLensError`` catches everything RecLens raises on purpose.

    Args:
        message: What was seen, and what was expected.
        advice: What the reader can do; ``str(error)`` names Python's arguments, and ``said`` those of another surface.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        # The default calls the class with the message alone, which the classes with more arguments refuse.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[RecLensError], args: tuple[Any, ...], state: Mapping[str, Any]) -> RecLensError:
    """An error as it was before it was pickled."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class DataError(RecLensError, ValueError):
    """A table or file is not valid.

    Args:
        problem: What was seen, and what was expected.
        source: The file or table it was seen in.
        column: The column.
        row: The first row it was seen at, counted from 1 with the header not counted.
        fix: What the reader can do.
    """

    def __init__(
        self,
        problem: str,
        *,
        source: str | None = None,
        column: str | None = None,
        row: int | None = None,
        fix: str | Advice | None = None,
    ) -> None:
        self.problem, self.source, self.column, self.row, self.fix = problem, source, column, row, fix
        parts = source, f"column '{column}'" if column else None, f"row {row:,}" if row is not None else None
        where = ", ".join(part for part in parts if part)
        message = f"{where}: {problem}" if where else problem
        advice = fix if isinstance(fix, Advice) else None
        super().__init__(f"{message.rstrip('.')}. {fix}" if fix and advice is None else message, advice=advice)


class UnmatchedIdsError(DataError):
    """No id of one table is in another, so that nothing can match.

    Args:
        problem: What was seen.
        column: ``user_id`` or ``item_id``.
        sides: The two tables.
        cause: The likely cause: a ``reclens.data.near_ids.Cause``.
        examples: A few ids of each table.
        mended: Ids that would match without the cause.
        of: Number of compared ids of the smaller side.
        fix: What the reader can do.
    """

    def __init__(
        self,
        problem: str,
        *,
        column: str,
        sides: tuple[str, str],
        cause: str,
        examples: tuple[Sequence[Any], Sequence[Any]],
        mended: int,
        of: int,
        fix: str | Advice,
    ) -> None:
        super().__init__(problem, column=column, fix=fix)
        self.sides, self.cause, self.examples, self.mended, self.of = sides, cause, examples, mended, of


class UsageError(RecLensError, ValueError):
    """A call cannot mean anything: an argument is out of range or contradicts another."""


class ArgumentTypeError(UsageError, TypeError):
    """An argument is of a type that is not taken.

    Args:
        name: The argument.
        value: What was given.
        expected: What is taken, as the rest of "expected …".
        fix: What the caller can do.
    """

    def __init__(self, name: str, value: object, *, expected: str, fix: str | None = None) -> None:
        self.name, self.seen, self.expected, self.fix = name, type(value).__name__, expected, fix
        article = "an" if self.seen[:1].lower() in "aeiou" else "a"
        super().__init__(f"{name} is {article} {self.seen}, expected {expected}.{f' {fix}' if fix else ''}")


class ArgumentValueError(UsageError):
    """The value of an argument is out of range, or missing.

    Args:
        name: The argument.
        problem: What is wrong with it, as the rest of its sentence: ``"is 2, expected a share between 0 and 1"``.
        of: What has it: the function that is called, or a model, of which it is a hyper-parameter.
        advice: What the reader can do.

    Example:
        >>> error = ArgumentValueError("cluster_size", "is 0.5, expected 1 or more")
        >>> str(error), error.said(lambda setting: "--cluster-size")
        ('cluster_size is 0.5, expected 1 or more.', '--cluster-size is 0.5, expected 1 or more.')
    """

    def __init__(
        self, name: str, problem: str, *, of: Literal["call", "model"] = "call", advice: Advice | None = None
    ) -> None:
        self.name, self.problem = name, problem
        self.of: Literal["call", "model"] = of
        super().__init__(f"{name} {problem}", advice=advice)

    def said(self, named: Callable[[Setting], str] = in_python, texts: Mapping[str, str] = _NO_TEXTS) -> str:
        """The message, with the argument and the settings of its advice as a surface writes them."""
        seen = f"{named(Setting(self.name, of=self.of, typed=False))} {self.problem.rstrip('.')}."
        return seen if self.advice is None else f"{seen} {self.advice.said(named, text=texts.get(self.advice.code))}"


class ArgumentValuesError(UsageError):
    """The values of several arguments are out of range, or do not go together.

    Args:
        values: Argument -> its value.
        expected: What was expected, with ``{name}`` where an argument is named again.

    Example:
        >>> error = ArgumentValuesError({"warm_up": 9, "memory": 5}, "1 <= {warm_up} <= {memory}")
        >>> str(error)
        'warm_up is 9 and memory is 5, expected 1 <= warm_up <= memory.'
        >>> error.said(lambda setting: f"--{setting.name}")
        '--warm_up is 9 and --memory is 5, expected 1 <= --warm_up <= --memory.'
    """

    def __init__(self, values: Mapping[str, object], expected: str) -> None:
        self.values, self.expected = {name: f"{value}" for name, value in values.items()}, expected
        super().__init__(f"{', '.join(values)}: expected {expected}")

    def said(self, named: Callable[[Setting], str] = in_python, texts: Mapping[str, str] = _NO_TEXTS) -> str:
        """The message, with the arguments as a surface writes them."""
        del texts  # it advises nothing
        names = {name: named(Setting(name, typed=False)) for name in self.values}
        *first, last = [f"{names[name]} is {value}" for name, value in self.values.items()]
        return f"{', '.join(first)} and {last}, expected {self.expected.format(**names)}."


class UnknownNameError(UsageError):
    """A name that does not exist where it was looked up.

    Args:
        what: What kind of thing was looked up, such as ``"metric"``.
        name: The requested name.
        known: The names that exist.
        advice: What else the reader can do.
    """

    def __init__(self, what: str, name: str, known: Iterable[str], *, advice: Advice | None = None) -> None:
        self.what, self.name, self.known = what, str(name), sorted(known)
        super().__init__(f"unknown {what} '{self.name}'.{suggest(self.name, self.known)}", advice=advice)


class NotEnoughMemoryError(UsageError, MemoryError):
    """A step takes more memory than there is; it was refused before it took any.

    Args:
        what: The step.
        needed: Bytes that it would hold at once.
        available: Bytes that are available; None if that is not known.
        advice: A smaller way.
    """

    def __init__(self, what: str, needed: int, available: int | None, advice: str | Advice) -> None:
        self.what, self.needed, self.available = what, needed, available
        there = "no computer has that" if available is None else f"{show_bytes(available)} is available"
        message = f"{what} takes {show_bytes(needed)} of memory, and {there}."
        known = isinstance(advice, Advice)
        super().__init__(message if known else f"{message} {advice}", advice=advice if known else None)


class ProtocolError(RecLensError, ValueError):
    """The numbers would not answer the question."""


class LeakError(ProtocolError):
    """Test data reached the training side."""


class IncomparableError(ProtocolError):
    """Two results were not measured alike."""


class NotFittedError(RecLensError, RuntimeError):
    """A model was used before it was fitted."""


class MissingExtraError(RecLensError, ImportError):
    """An optional library is absent."""


class WorkspaceError(RecLensError, OSError):
    """An artefact is missing or in the way, or cannot be written; a broken one is a :class:`DataError`."""


class NameTakenError(WorkspaceError, FileExistsError):
    """Something has that name already, or another process is writing it."""


StoreProblem = Literal["down", "slow", "quota", "rate_limited", "wrong_key", "refused"]
"""``down``: it cannot be reached; ``slow``: no answer in time; ``quota``: the plan allows no more; ``rate_limited``:
too many requests (429), after the tries of the adapter; ``wrong_key``: it does not know the key, or the key may not do
this; ``refused``: anything else that it does not accept."""


class StoreError(WorkspaceError, ConnectionError):
    """Another system cannot be reached, or refuses a request.

    Args:
        message: What was seen and what to do, without keys.
        code: What sort of problem it is.
        advice: What the reader can do.
    """

    def __init__(self, message: str, *, code: StoreProblem, advice: Advice | None = None) -> None:
        self.code = code
        super().__init__(message, advice=advice)


def expect_type(
    name: str, value: object, kinds: type | tuple[type, ...], *, expected: str, fix: str | None = None
) -> None:
    """Refuse an argument of a type that is not taken; True and False are no numbers.

    Args:
        name: The argument.
        value: What was given.
        kinds: The types that are taken.
        expected: These in words, as the rest of "expected …".
        fix: What the caller can do.

    Raises:
        ArgumentTypeError: If the value is of another type.

    Example:
        >>> expect_type("k", "10", int, expected="a whole number", fix="Write k=10.")
        Traceback (most recent call last):
        ...
        reclens.errors.ArgumentTypeError: k is a str, expected a whole number. Write k=10.
    """
    named = kinds if isinstance(kinds, tuple) else (kinds,)
    if not isinstance(value, named) or (isinstance(value, bool) and bool not in named):
        raise ArgumentTypeError(name, value, expected=expected, fix=fix)


def suggest(name: str, known: Iterable[str]) -> str:
    """Say which known name was probably meant, as a sentence that can follow another.

    >>> suggest("ncdg", ["ndcg", "precision"])
    " Did you mean 'ndcg'?"
    >>> suggest("zzz", ["ndcg", "precision"])
    ' Known: ndcg, precision.'
    """
    names = sorted(known)
    if name in names:
        return f" There is one that reads '{name}', of another type: text where numbers are expected, or the reverse."
    folded = {each.casefold(): each for each in reversed(names)}
    for key in difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6):
        near = folded[key]
        if _as_seen(near) == _as_seen(name):  # "Did you mean 'x'?" of an x that reads the same helps nobody
            return f" There is one that looks the same: it is written {near!a}, and this one {name!a}."
        return f" Did you mean '{near}'?"
    if not names:
        return " There are none."
    shown = ", ".join(names[:30]) + (f", and {len(names) - 30} more" if len(names) > 30 else "")
    return f" Known: {shown}."


def _as_seen(name: str) -> str:
    """What of a name can be seen: composed letters, ordinary blanks, nothing invisible."""
    return "".join(sign for sign in unicodedata.normalize("NFKC", name) if sign.isprintable()).rstrip()


def first_line(error: BaseException) -> str:
    """The first line of what another library said: the rest is a stack or a drawing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def show_bytes(size: int) -> str:
    """A number of bytes as people read it.

    >>> show_bytes(14_400_000_000), show_bytes(56 * 10**12), show_bytes(900)
    ('14.4 GB', '56.0 TB', '900 bytes')
    """
    for unit, power in (("EB", 18), ("PB", 15), ("TB", 12), ("GB", 9), ("MB", 6), ("kB", 3)):
        if size >= 10**power:
            return f"{size / 10**power:,.1f} {unit}"
    return f"{size} bytes"
