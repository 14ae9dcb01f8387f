"""What the repository says of itself agrees, and nothing of one machine stands in it."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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


@pytest.fixture(scope="session")
def locks(repository) -> dict[str, list[str]]:
    """The lines of each lock: one a version, with its hashes."""
    folder = repository / "requirements"
    read = {}
    for path in sorted(folder.rglob("*.txt")):
        logical = re.sub(r"\\\n", " ", path.read_text(encoding="utf-8"))
        lines = [line for line in logical.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        read[path.relative_to(folder).with_suffix("").as_posix()] = lines
    return read


def _environments(repository) -> list[str]:
    """The names of the environments apart: those that have a list of their own of what they ask for."""
    folder = repository / "requirements"
    names = [path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.in")]
    return [name for name in names if name != "constraints"]


def _requirements(path) -> list[Requirement]:
    lines = [line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return [Requirement(line) for line in lines if line]


def test_one_version(repository) -> None:
    version = reclens.__version__
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"], "the version is written in reclens/__init__.py alone"
    assert project["tool"]["hatch"]["version"]["path"] == "src/reclens/__init__.py"
    citation = (repository / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.+)$", citation, re.M) == [version]
    changelog = (repository / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[(\d[^\]]*)\]", changelog, re.M)[0] == version


def test_locked_versions_are_exact_and_hashed(locks) -> None:
    for name, lines in locks.items():
        loose = [line for line in lines if not re.match(r"[a-z0-9._-]+(\[[a-z0-9,-]+\])?==\S+.*--hash=sha256:", line)]
        assert lines and not loose, f"requirements/{name}.txt: {loose}"


def test_every_environment_apart_is_locked_made_and_documented(repository, locks) -> None:
    apart = set(_environments(repository))
    assert apart == set(locks) - {"core", "build", "test", "docs", "mutants"}, "run: make lock"
    contributing = (repository / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert not [name for name in apart if f"`{name}`" not in contributing]
    if shutil.which("make") is None:
        pytest.skip("needs make")
    for name in apart:
        command = ["make", "--dry-run", "--always-make", "--no-print-directory", "env", f"ENV={name}"]
        steps = subprocess.run(command, cwd=repository, capture_output=True, check=True, text=True).stdout
        assert f"-m venv --clear .venv-{name.replace('/', '-')}\n" in steps
        assert f"--no-deps --requirement requirements/{name}.txt\n" in steps
        torch = [
            str(need) for need in _requirements(repository / "requirements" / f"{name}.in") if need.name == "torch"
        ]
        assert re.findall(r"install --quiet (torch\S+)\n", steps) == torch
    refusal = subprocess.run(["make", "env", "ENV=nope"], cwd=repository, capture_output=True, check=False, text=True)
    assert refusal.returncode and all(name in refusal.stdout for name in apart)


def test_a_lock_holds_what_its_environment_asks_for(repository, locks) -> None:
    bounds = _requirements(repository / "requirements" / "constraints.in")
    for name, lines in locks.items():
        source = repository / "requirements" / f"{name}.in"
        asked = _requirements(source) if source.exists() else []
        # Airflow's set was tried with versions of its own.
        asked += [] if name == "airflow" else [bound for bound in bounds if f"{bound.name}==" in "\n".join(lines)]
        for need in asked:
            pattern = re.compile(rf"{re.escape(canonicalize_name(need.name))}(?:\[\S+\])?==(\S+)")
            versions = [found.group(1) for line in lines if (found := pattern.match(line))]
            assert versions or need.name == "torch", f"{name}.txt has no {need.name}: run: make lock"
            assert all(need.specifier.contains(each) for each in versions), f"{name}.txt: {need} gave {versions}"


def test_torch_is_in_no_lock(locks) -> None:
    found = [
        line for lines in locks.values() for line in lines if re.match(r"(torch|triton|nvidia-.*?|cuda-.*?)==", line)
    ]
    assert not found, f"add to UNLOCKED in the Makefile: {found}"


def test_the_set_of_airflow_is_exact(repository) -> None:
    asked = _requirements(repository / "requirements" / "airflow.in")
    assert not [str(need) for need in asked if [each.operator for each in need.specifier] != ["=="]]


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
