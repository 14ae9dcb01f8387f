"""The index leads to every page; README stays short, and its table of speeds has a name in every row."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"\]\(([^)#\s]+\.md)(?:#[^)]*)?\)")


def links(page: Path) -> set[Path]:
    return {(page.parent / target).resolve() for target in LINK.findall(page.read_text(encoding="utf-8"))}


def test_the_index_the_readme_and_the_navigation_lead_to_every_page() -> None:
    pages = {path.resolve() for path in DOCS.rglob("*.md")}
    index = DOCS / "index.md"
    assert pages - {index} == {path for path in links(index) if path.is_relative_to(DOCS)}
    assert pages <= links(ROOT / "README.md")
    navigation = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]
    assert sorted(DOCS / target for entry in navigation for target in entry.values()) == sorted(pages)


def test_links_between_pages_lead_somewhere() -> None:
    broken = [f"{page.name}: {to}" for page in (ROOT / "README.md", *DOCS.rglob("*.md")) for to in links(page)]
    assert not [each for each in broken if not Path(each.split(": ", 1)[1]).exists()]


def test_the_readme_is_short_and_names_every_speed() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count("![") == 1  # a picture
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", text, re.M | re.S)
    assert [language for language, _ in blocks] == ["sh", "python", "sh"]
    install, python, shell = ([row for row in code.splitlines() if row.strip(" #")] for _, code in blocks)
    assert [row.split("#")[0].strip() for row in install if row[0] != "#"] == ["make demo", "make dashboard"]
    assert len(python) <= 10 and len(shell) <= 5
    table = text.split("<!-- benchmarks", 1)[1].split("<!-- /benchmarks", 1)[0]
    names = re.findall(r"^\| ([^|]+?) \| [\d.]+ s \|", table, re.M)
    assert 1 <= len(names) <= 8 and len(set(names)) == len(names)
    assert not [name for name in names if name.startswith(("…", "the same"))]
    assert len(text.splitlines()) < 110


def test_the_table_of_moves_leads_to_modules_that_exist() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    table = text.split("\n### Moved\n", 1)[1].split("\n### ", 1)[0]
    rows = re.findall(r"^\| `[\w.]+` \| `([\w.]+)` \| (.+) \|$", table, re.M)
    moved = [
        ROOT.joinpath("src", *f"reclens.{to}".removesuffix(".reclens").split("."), re.findall(r"`(\w+)`", move)[-1])
        for to, moves in rows
        for move in moves.split(", ")
    ]
    assert len(moved) > 100 and len(set(moved)) == len(moved)
    assert not [str(path) for path in moved if not (path.is_dir() or path.with_suffix(".py").exists())]


def test_every_speed_in_the_documentation_has_a_name_of_its_own() -> None:
    script = ROOT / "scripts" / "make_benchmark_table.py"
    spec = importlib.util.spec_from_file_location("make_benchmark_table", script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert len(set(module.NAMES.values())) == len(module.NAMES)
    assert len(module.README_ROWS) <= 8 and set(module.README_ROWS) <= set(module.NAMES.values())
    for page, chosen, linked in (("README.md", module.README_ROWS, True), ("docs/speed.md", None, False)):
        assert module.block(chosen, linked=linked) in (ROOT / page).read_text(encoding="utf-8")
