"""The faults that mutmut's operators make of a file, a stratified sample of them, and how one is planted.

A fault inside a function is planted by giving the living function objects the code of the changed file, so that whoever
already holds them (tests, registries, wrappers) meets it. A fault in what runs when a module is imported (constants,
defaults of arguments, fields of data classes) needs the changed file in place of the original at import.
"""

from __future__ import annotations

import gc
import hashlib
import importlib.machinery
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import CodeType, FunctionType

__all__ = ["ROOMS", "SOURCE", "Mutant", "functions_by_file", "mutants_of", "plant_at_import", "plant_living", "sample"]

SOURCE = Path(__file__).resolve().parents[1] / "src" / "reclens"
ROOMS = ("stats", "metrics")
SEED, SAMPLE = 20261129, 400

# Run when the code around them runs, not when they are called.
AT_ONCE = {"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"}


@dataclass(frozen=True)
class Mutant:
    """One fault.

    Attributes:
        key: File and a hash of the line and of what is changed to what: it outlives changes elsewhere in the file.
        file: The file, below ``src/reclens``.
        lines: The first and the last line of what is changed, from 1.
        was: The code that is changed.
        now: What it is changed to.
        start: Where it begins in the file, in characters.
    """

    key: str
    file: str
    lines: tuple[int, int]
    was: str
    now: str
    start: int

    @cached_property
    def path(self) -> Path:
        """The whole path of the file."""
        return SOURCE / self.file

    @cached_property
    def codes(self) -> tuple[CodeType, CodeType]:
        """The compiled file without and with the fault."""
        text = self.path.read_text(encoding="utf-8")
        assert text.startswith(self.was, self.start)
        changed = text[: self.start] + self.now + text[self.start + len(self.was) :]
        return tuple(compile(each, str(self.path), "exec", dont_inherit=True) for each in (text, changed))  # pyright: ignore[reportReturnType]

    @cached_property
    def is_compiled(self) -> bool:
        """Whether the file has compiled loops, so that it is run without compilation."""
        return "@kernel(" in self.path.read_text(encoding="utf-8")

    @cached_property
    def at_import(self) -> bool:
        """Whether the fault changes what runs when the module is imported."""
        old, new = map(_import_part, self.codes)
        return old != new


def mutants_of(path: Path) -> list[Mutant]:
    """Every fault of a file that can change a result.

    Left out are annotations and aliases of types, decorators, docstrings and other texts, imports, ``__all__``, and
    checks: ``raise``, ``assert`` and ``zip(strict=True)``.
    """
    import libcst as cst
    from libcst.metadata import MetadataWrapper, PositionProvider
    from mutmut.mutation.mutators import mutation_operators

    text = path.read_text(encoding="utf-8")
    wrapper = MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
    place = wrapper.resolve(PositionProvider)
    module, file = wrapper.module, path.relative_to(SOURCE).as_posix()
    starts = [0, *(at + 1 for at, letter in enumerate(text) if letter == "\n")]
    lines = text.splitlines()
    left_out = (cst.Annotation, cst.Decorator, cst.Raise, cst.ImportFrom, cst.Import, cst.Assert, cst.FormattedString)
    found: list[Mutant] = []
    seen: Counter[str] = Counter()

    def visit(node: cst.CSTNode) -> None:
        if isinstance(node, left_out) or (
            isinstance(node, cst.Arg) and node.keyword and node.keyword.value == "strict"
        ):
            return
        if isinstance(node, cst.Expr) and isinstance(node.value, cst.SimpleString):
            return  # a docstring
        if isinstance(node, cst.Assign):
            code = module.code_for_node(node)
            if code.startswith("__all__") or (isinstance(node.value, cst.Subscript) and code.lstrip("_")[0].isupper()):
                return
        if not isinstance(node, cst.SimpleString):  # texts are codes and names, which fail at once
            for kind, operator in mutation_operators:
                if isinstance(node, kind):
                    for other in operator(node):
                        add(node, other)
        for child in node.children:
            visit(child)

    def add(node: cst.CSTNode, other: cst.CSTNode) -> None:
        was, now = module.code_for_node(node).strip(), module.code_for_node(other).strip()
        if was == now or node not in place or _unchecked(was) == _unchecked(now):
            return
        begin = place[node].start
        start = starts[begin.line - 1] + begin.column
        if not text.startswith(was, start):  # parentheses around it are not of the node's position
            start = text.rfind(was, 0, start + len(was))
            if start < 0:
                return
        line = text.count("\n", 0, start) + 1
        mark = hashlib.sha256(f"{lines[line - 1].strip()}\0{was}\0{now}".encode()).hexdigest()[:10]
        seen[mark] += 1
        key = f"{file}:{mark}" + (f":{seen[mark]}" if seen[mark] > 1 else "")
        found.append(Mutant(key, file, (line, line + was.count("\n")), was, now, start))

    visit(module)
    return found


def _unchecked(code: str) -> str:
    return re.sub(r",\s*(strict=\w+)?(?=\))", "", code)


def sample() -> list[Mutant]:
    """400 mutants, as many of each file as its share of all, in a random order: any beginning is a sample too.

    Those of a file are the ones with the lowest hashes, so that the sample of one file stays when another changes.
    """
    found = {
        path: mutants_of(path)
        for room in ROOMS
        for path in sorted((SOURCE / room).rglob("*.py"))
        if path.name != "__init__.py"
    }
    total = sum(map(len, found.values()))

    def rank(mutant: Mutant) -> str:
        return hashlib.sha256(f"{SEED}{mutant.key}".encode()).hexdigest()

    chosen = [
        each for mutants in found.values() for each in sorted(mutants, key=rank)[: round(SAMPLE * len(mutants) / total)]
    ]
    random.Random(SEED).shuffle(chosen)  # noqa: S311 - a sample, no secret
    return chosen


def functions_by_file() -> dict[str, list[FunctionType]]:
    """The living functions of each file that faults are planted in."""
    found: dict[str, list[FunctionType]] = defaultdict(list)
    rooms = tuple(f"{SOURCE / room}/" for room in ROOMS)
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and each.__code__.co_filename.startswith(rooms):
            found[each.__code__.co_filename].append(each)
    return found


def plant_living(mutant: Mutant, functions: dict[str, list[FunctionType]]) -> int:
    """Give the living functions the code with the fault; returns how many were changed."""
    old, new = ({(each.co_qualname, each.co_firstlineno): each for each in _all(code)} for code in mutant.codes)
    changed = {key: new[key] for key, code in old.items() if key in new and new[key] != code}
    planted = 0
    for function in functions[str(mutant.path)]:
        key = (function.__code__.co_qualname, function.__code__.co_firstlineno)
        if key in changed:
            function.__code__ = changed[key]
            planted += 1
    return planted


def plant_at_import(mutant: Mutant) -> None:
    """Make this process import the file with the fault."""
    original, path = importlib.machinery.SourceFileLoader.get_code, str(mutant.path)

    def get_code(self: importlib.machinery.SourceFileLoader, fullname: str) -> CodeType | None:
        return mutant.codes[1] if self.path == path else original(self, fullname)

    importlib.machinery.SourceFileLoader.get_code = get_code


def _all(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _all(each)


def _import_part(code: CodeType) -> tuple[object, ...]:
    """The instructions of a module and of its classes, without those of functions."""
    constants = []
    for each in code.co_consts:
        if not isinstance(each, CodeType):
            constants.append(repr(each))
        elif each.co_name in AT_ONCE or not each.co_flags & 2:  # CO_NEWLOCALS: functions have it, classes do not
            constants.append(_import_part(each))
    return code.co_code, code.co_names, tuple(constants)
