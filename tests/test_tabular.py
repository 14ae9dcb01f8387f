"""Results as frames and short tables: every class with ``to_dicts`` has them, and none prints a dump."""

from __future__ import annotations

import ast
import importlib
import pickle
import sys
from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reclens.errors import MissingExtraError
from reclens.tabular import MOST_LINES, Tabular, frame_of

SOURCES = sorted((Path(__file__).parents[1] / "src" / "reclens").rglob("*.py"))


class Colour(Enum):
    """A code."""

    RED = "red"


@dataclass(frozen=True)
class Rows(Tabular):
    """A result of given rows."""

    rows: list

    def to_dicts(self) -> list[dict]:
        return self.rows


def test_every_result_is_tabular() -> None:
    bare = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ClassDef) or node.name == "Tabular":
                continue
            if "to_dicts" in {each.name for each in node.body if isinstance(each, ast.FunctionDef)}:
                bases = [ast.unparse(base) for base in node.bases]
                bare += [] if "Tabular" in bases else [f"{path}: {node.name}"]
    assert not bare


def test_no_result_prints_a_dump() -> None:
    for path in SOURCES:
        if "to_dicts" in path.read_text(encoding="utf-8"):
            importlib.import_module(".".join(path.with_suffix("").parts[path.parts.index("reclens") :]))
    kinds = Tabular.__subclasses__()
    assert len(kinds) > 60
    # The repr that `dataclass` writes is made by exec: it has no file.
    dumps = [kind.__name__ for kind in kinds if "<string>" in kind.__repr__.__code__.co_filename]
    dumps += [kind.__name__ for kind in kinds if "recursive_repr" in kind.__repr__.__qualname__]
    assert not dumps


VALUE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.floats(),
    st.text(max_size=60),
    st.dates(),
    st.lists(st.integers(-9, 9), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=2),
)


@settings(max_examples=40)
@given(st.lists(st.dictionaries(st.sampled_from("abcdefgh"), VALUE), max_size=40))
def test_a_table_has_twenty_lines_at_most(rows: list[dict]) -> None:
    result = Rows(rows)
    lines = repr(result).split("\n")
    assert len(lines) <= MOST_LINES == 20 and max(map(len, lines)) <= 140
    assert result._repr_html_().count("<tr>") <= MOST_LINES
    frame = result.to_frame()
    assert frame.height == (len(rows) if frame.width else 0)
    assert frame.columns == list(dict.fromkeys(name for row in rows for name in row))


def test_the_table_of_a_result() -> None:
    rows = [{"system": "ease", "value": 0.123456, "n": 1234, "note": None, "why": "a long sentence " * 4, "ok": True}]
    rows += [{"system": "pop", "value": None, "n": 5, "note": None, "why": "", "ok": False}]
    assert repr(Rows(rows)) == (
        "Rows: 2 rows\nsystem   value      n   ok\nease    0.1235  1,234  yes\npop                 5   no"
    )
    assert str(Rows(rows)) == repr(Rows(rows))
    assert repr(Rows(rows * 20)).startswith("Rows: 40 rows, the first 18\n")
    assert repr(Rows([])) == "Rows: 0 rows"
    wide = repr(Rows([{f"column_{n}": "x" * 30 for n in range(9)}]))
    assert "6 more columns" in wide and max(map(len, wide.split("\n"))) <= 120


def test_html_is_escaped() -> None:
    shown = Rows([{"<b>": "<script>"}])._repr_html_()
    assert "<script>" not in shown and "&lt;script&gt;" in shown and "&lt;b&gt;" in shown


def test_rows_as_frames() -> None:
    rows = [
        {
            "n": 1,
            "x": 0.5,
            "code": Colour.RED,
            "day": date(2026, 1, 5),
            "tags": ("a", "b"),
            "mixed": 1,
            "path": Path("a"),
        },
        {"n": 2, "x": 2, "code": None, "day": None, "tags": [], "mixed": "one", "path": None},
    ]
    frame = Rows(rows).to_frame()
    assert frame.schema == {
        "n": pl.Int64,
        "x": pl.Float64,
        "code": pl.String,
        "day": pl.Date,
        "tags": pl.List(pl.String),
        "mixed": pl.String,
        "path": pl.String,
    }
    assert frame.rows()[0] == (1, 0.5, "red", date(2026, 1, 5), ["a", "b"], "1", "a")
    assert frame_of([]).shape == (0, 0)
    pandas = pytest.importorskip("pandas")
    found = Rows([{"n": 1, "x": 0.5}, {"n": 2, "x": None}]).to_pandas()
    pandas.testing.assert_frame_equal(found, pandas.DataFrame({"n": [1, 2], "x": [0.5, None]}))
    arrow = pytest.importorskip("pyarrow")
    assert Rows([{"n": 1}, {"n": 2}]).to_arrow().equals(arrow.table({"n": arrow.array([1, 2], arrow.int64())}))


@pytest.mark.parametrize(("method", "library"), [("to_pandas", "pandas"), ("to_arrow", "pyarrow")])
def test_a_library_that_is_absent_is_named(method: str, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=f"pip install {library}; or take to_frame") as found:
        getattr(Rows([{"n": 1}]), method)()
    assert isinstance(found.value, ImportError)


def test_results_pickle() -> None:
    assert pickle.loads(pickle.dumps(Rows([{"n": 1}]))) == Rows([{"n": 1}])
