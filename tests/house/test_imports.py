"""Heavy libraries are imported when they are used: stated by *what* is imported, because a stopwatch would lie."""

from __future__ import annotations

import ast
import json
import pkgutil
import subprocess
import sys
from collections.abc import Iterator

HEAVY = {
    "altair",
    "duckdb",
    "matplotlib",
    "numba",
    "pandas",
    "pyarrow",
    "scipy",
    "sklearn",
    "streamlit",
    "torch",
    "vl_convert",
}
NOT_IN_CORE = {"matplotlib", "pandas", "pyarrow", "requests", "sklearn", "streamlit", "torch"}


def imported_after(code: str) -> set[str]:
    """The top-level packages that a fresh Python has loaded after running some code."""
    script = f"{code}\nimport sys, json\nprint(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def top_imports(tree: ast.Module) -> Iterator[tuple[ast.stmt, str]]:
    """Imports that run when the module is imported: all but those in functions and under TYPE_CHECKING."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from ((node, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node, (node.module or "").partition(".")[0]
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def is_network(module: str) -> bool:
    """Whether a module holds networks, which are nothing without PyTorch; functions alone import it."""
    return ".models._deep" in module


def test_networks_are_imported_in_functions_and_import_no_other_room(sources) -> None:
    """They are trained on machines that have PyTorch and NumPy alone."""
    for s in sources:
        found = {node.module or "" for node, _ in top_imports(s.tree) if isinstance(node, ast.ImportFrom)}
        if is_network(s.module):
            ours = {name for name in found if name.startswith("reclens")}
            assert all(is_network(name) for name in ours), f"{s.module} imports {ours}"
        else:
            assert not any(map(is_network, found)), f"{s.module} imports a network at its top"


def test_no_heavy_import_at_the_top_of_a_module(sources) -> None:
    # Streamlit runs the dashboard's files: they are nothing without it, and nothing else imports them.
    heavy = [
        f"{s.at(node)}: {name}"
        for s in sources
        for node, name in top_imports(s.tree)
        if name in HEAVY and (s.room, name) != ("dashboard", "streamlit") and not is_network(s.module)
    ]
    assert not heavy, f"import these inside the function that needs them: {heavy}"


def test_importing_the_package_loads_nothing_else() -> None:
    loaded = imported_after("import reclens; reclens.__version__; dir(reclens)")
    third_party = HEAVY | {"jinja2", "numpy", "polars", "pydantic", "rich", "typer"}
    assert not loaded & third_party


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['reclens', '--help']\n"
        "from reclens.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code, end.code"
    )
    assert not imported_after(code) & (HEAVY | {"jinja2", "pydantic"})


def test_importing_every_module_loads_nothing_heavy() -> None:
    import reclens

    modules = [m.name for m in pkgutil.walk_packages(reclens.__path__, "reclens.") if not m.name.endswith("__main__")]
    # reclens.testing is a kit for test suites, and may bring their tools.
    modules = [name for name in modules if ".testing" not in name and ".dashboard." not in name]
    modules = [name for name in modules if not is_network(name)]
    code = f"import importlib\nfor name in {modules!r}: importlib.import_module(name)"
    assert not imported_after(code) & HEAVY


def test_the_core_works_without_the_tests_libraries(repository) -> None:
    locked = (repository / "requirements" / "core.txt").read_text(encoding="utf-8").lower()
    names = {line.split("==")[0].replace("-", "_") for line in locked.splitlines() if "==" in line}
    assert not names & (NOT_IN_CORE - {"sklearn"} | {"scikit_learn"}), "the core install has to stay light"


def test_no_tests_compute_with_polars_at_import(computing_at_import: list[str]) -> None:
    # `make mutants` collects the tests once and forks; a fork does not have the threads of Polars, and waits for ever.
    assert not computing_at_import, f"compute in a fixture: {computing_at_import}"
