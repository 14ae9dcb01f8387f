"""What the repository says of itself agrees, and nothing of one machine stands in it."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib

import pytest

import reclens

# Written in pieces, so that this file does not hold what it looks for.
MACHINE = re.compile(
    "|".join(
        (
            r"(?<![\w.])/" + r"work/",
            r"/tmp/" + r"scratch",
            r"(?<![\w.])/" + r"root/",
            r"(?<![\w./])/" + r"home/\w+",
            r"/opt/" + r"(?:wheels|pypi)",
            r"py" + r"pi\.org",
            r"python" + r"hosted\.org",
            r"registry\." + r"npmjs",
            r"--(?:extra-)?index-" + r"url",
            r"--find-" + r"links[ =]",
        )
    )
)


@pytest.fixture(scope="session")
def tracked(repository) -> list:
    """The files that git tracks."""
    if shutil.which("git") is None or not (repository / ".git").exists():
        pytest.skip("needs a git checkout: this is an export")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=repository, capture_output=True, check=True, text=True)
    return [path for name in listing.stdout.split("\0") if name and (path := repository / name).is_file()]


def test_one_version(repository) -> None:
    version = reclens.__version__
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"], "the version is written in reclens/__init__.py alone"
    assert project["tool"]["hatch"]["version"]["path"] == "src/reclens/__init__.py"
    citation = (repository / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.+)$", citation, re.M) == [version]
    changelog = (repository / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[(\d[^\]]*)\]", changelog, re.M)[0] == version


def test_locked_versions_are_exact_and_hashed(repository) -> None:
    for name in ("core", "build", "test", "docs", "mutants"):
        text = (repository / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        logical = re.sub(r"\\\n", " ", text)
        lines = [line for line in logical.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        loose = [line for line in lines if not re.match(r"[a-z0-9._-]+(\[[a-z,]+\])?==\S+.*--hash=sha256:", line)]
        assert lines and not loose, f"requirements/{name}.txt: {loose}"


def test_the_lock_covers_the_project(repository) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked = (repository / "requirements" / "core.txt").read_text(encoding="utf-8").lower()
    names = [re.split(r"[\[<>=!~ ]", need)[0].lower() for need in project["dependencies"]]
    assert not [name for name in names if not re.search(rf"^{re.escape(name)}==", locked, re.M)], "run: make lock"


def test_nothing_of_one_machine(tracked, repository) -> None:
    found = []
    for path in tracked:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if match := MACHINE.search(line):
                found.append(f"{path.relative_to(repository)}:{number}: {match.group()}")
    assert not found, found


def test_no_data_is_tracked(tracked, repository) -> None:
    big = [f"{p.relative_to(repository)}: {p.stat().st_size:,} bytes" for p in tracked if p.stat().st_size > 1_000_000]
    assert not big, f"data and builds do not belong to the repository: {big}"
