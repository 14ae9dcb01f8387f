"""Lists that RecBole made, as its case study gives them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import reclens as rl
from reclens.errors import DataError


def test_lists_of_recbole(tmp_path: Path) -> None:
    items = np.array([["50", "172", "7"], ["9", "[PAD]", "[PAD]"]])
    scores = np.array([[0.9, 0.5, -np.inf], [1.0, -np.inf, -np.inf]], np.float32)
    np.savez(tmp_path / "sasrec.npz", users=np.array(["196", "186"]), items=items, scores=scores)
    found = rl.read_recbole_lists(tmp_path / "sasrec.npz")
    assert found.name == "sasrec"
    assert [row[:3] for row in found.table.rows()] == [(196, 50, 1), (196, 172, 2), (186, 9, 1)]
    np.savez(tmp_path / "text.npz", users=np.array(["u1"]), items=np.array([["a", "b"]]), scores=np.array([[2.0, 1.0]]))
    assert rl.read_recbole_lists(tmp_path / "text.npz", name="mine").table["item_id"].to_list() == ["a", "b"]


def test_arrays_that_are_no_lists(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", users=np.array(["1"]), items=np.array([["2"]]))
    with pytest.raises(DataError, match=r"a\.npz: lacks scores"):
        rl.read_recbole_lists(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", users=np.array(["1", "2"]), items=np.array([["2"]]), scores=np.array([[1.0]]))
    with pytest.raises(DataError, match="expected n users"):
        rl.read_recbole_lists(tmp_path / "b.npz")
    (tmp_path / "c.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match="no file of arrays"):
        rl.read_recbole_lists(tmp_path / "c.npz")
