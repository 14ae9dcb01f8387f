"""The tables of a workspace that SQL sees."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from reclens.data.dataset import Dataset
from reclens.errors import WorkspaceError
from reclens.workspace import Workspace

TABLE = "dataset_mine_interactions"


def test_names_that_sql_does_not_tell_apart_are_told_apart(tmp_path: Path, small_data) -> None:
    workspace = Workspace(tmp_path)
    # 'A-b' beside 'a-b' is of an older workspace: no save makes it.
    for at, (name, share) in enumerate((("A-b", 10), ("a_b", 20), ("a-b", 30))):
        kept = workspace.save(Dataset(small_data.interactions.head(share), name=name), f"c{at}")
        kept.rename(tmp_path / name)
    for name in ("A-b", "a_b", "a-b"):
        (tmp_path / name).rename(tmp_path / "dataset" / name)
    tables = {each: workspace.table_name("dataset", each, "interactions") for each in ("A-b", "a_b", "a-b")}
    assert tables["a_b"] == "dataset_a_b_interactions", "what is written as its name keeps it"
    assert len({str(each).casefold() for each in tables.values()}) == 3 and set(tables.values()) == set(
        workspace.views()
    )
    for name, rows in (("A-b", 10), ("a_b", 20), ("a-b", 30)):
        assert workspace.sql(f"SELECT count(*) AS n FROM {tables[name]}")["n"].to_list() == [rows], name
    workspace.remove("dataset", "A-b")
    assert workspace.table_name("dataset", "a-b", "interactions") == tables["a-b"], "others keep theirs"
    assert workspace.table_name("dataset", "a-b", "users") is None


@pytest.mark.parametrize("folder", ["ws[1]", "w*", "run=5/ws", "what?"])
def test_a_path_is_no_pattern(tmp_path: Path, small_data, folder: str) -> None:
    decoys = {"ws[1]": "ws1", "w*": "wx", "what?": "whats"}
    Workspace(tmp_path / folder).save(small_data, "mine")
    if folder in decoys:
        other = Dataset(pl.DataFrame({"user_id": ["x"], "item_id": ["y"]}), name="other")
        Workspace(tmp_path / decoys[folder]).save(other, "mine")
    workspace = Workspace(tmp_path / folder)
    found = workspace.sql(f"SELECT * FROM {TABLE}")
    assert found.height == 6000 and found.columns == small_data.interactions.columns
    again = workspace.load("dataset", "mine")
    assert again.interactions.equals(small_data.interactions) and again.items.columns == small_data.items.columns
    assert list(workspace.tables()[TABLE]) == small_data.interactions.columns


def test_a_broken_table_is_explained(tmp_path: Path, small_data) -> None:
    workspace = Workspace(tmp_path)
    (workspace.save(small_data, "mine") / "interactions.parquet").write_bytes(b"PAR1")
    with pytest.raises(WorkspaceError, match="cannot be read"):
        workspace.sql(f"SELECT * FROM {TABLE}")
    assert TABLE not in workspace.tables()
