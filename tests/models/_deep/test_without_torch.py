"""What a saved model can do where PyTorch is not installed."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pytest

from reclens import models
from reclens.errors import MissingExtraError

ONE = {"epochs": 1, "patience": 0, "device": "cpu", "factors": 4}


def test_lists_of_models_of_sequences_need_no_pytorch(cycle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sequences, clicks = models.SASRec(**ONE).fit(cycle, threads=1), models.FM(**ONE).fit(cycle, threads=1)
    wanted = sequences.recommend(k=3, threads=1).table
    sequences.save(tmp_path / "sasrec")
    clicks.save(tmp_path / "fm")
    monkeypatch.setitem(sys.modules, "torch", None)
    again = models.SASRec.load(tmp_path / "sasrec")
    assert again.recommend(k=3, threads=1).table.equals(wanted)
    others = models.FM.load(tmp_path / "fm")
    walk = pl.DataFrame({"user_id": ["new"], "item_id": [4]})
    for asked in (
        lambda: again.recommend(history=walk, k=1, threads=1),
        lambda: again.explain(0, 3),
        lambda: others.recommend([0], k=1, threads=1),
        lambda: others.probability(pl.DataFrame({"user_id": [0], "item_id": [4]})),
    ):
        with pytest.raises(MissingExtraError, match=r"pip install 'reclens\[deep\]'"):
            asked()
