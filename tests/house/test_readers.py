"""Nobody who reads RecLens is a she or a he: the user is *the user*, or *they*."""

from __future__ import annotations

import re
from pathlib import Path

GENDERED = re.compile(r"\b(?:s?he|hers?|herself|him|himself|his)\b", re.IGNORECASE)
STOP_WORDS = "src/reclens/models/_content/words.py"
"""The English words that a text is freed of, which are data."""


def gendered(text: str) -> list[str]:
    """The lines that say she or he, with their numbers."""
    return [f"{at}: {line.strip()}" for at, line in enumerate(text.splitlines(), 1) if GENDERED.search(line)]


def test_no_text_of_the_package_or_the_documentation_says_she_or_he(repository: Path) -> None:
    files = [repository / "README.md", *(repository / "docs").rglob("*.md")]
    files += [each for ending in ("py", "j2", "toml") for each in (repository / "src").rglob(f"*.{ending}")]
    assert len(files) > 400
    found = {
        name: lines
        for each in files
        if (name := each.relative_to(repository).as_posix()) != STOP_WORDS
        and (lines := gendered(each.read_text(encoding="utf-8")))
    }
    assert not found, f"write 'the user' or 'they': {found}"


def test_a_gendered_line_is_found_wherever_it_stands() -> None:
    text = "The user and her list.\nShe reads.\nhe's here\nthe others, this and cashier history\nHIMSELF"
    assert [each.split(":")[0] for each in gendered(text)] == ["1", "2", "3", "5"]
