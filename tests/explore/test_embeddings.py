"""Embeddings of texts, models and files, against scikit-learn, the models' own scores, and files made by hand."""

from __future__ import annotations

import hashlib
import json
import struct

import numpy as np
import polars as pl
import pytest

from reclens.data.synthetic import synthetic_movielens
from reclens.errors import ArgumentTypeError, DataError, UnknownNameError, UsageError
from reclens.explore import linear_algebra
from reclens.explore import text_embedding as texts_module
from reclens.explore.embed_models import embed_model
from reclens.explore.linear_algebra import truncated_svd
from reclens.explore.text_embedding import VectorCache, embed_texts, joined_texts
from reclens.explore.tfidf import TfidfSvd
from reclens.explore.vector_files import read_vectors
from reclens.models import ALS, BPR, EASE, SLIM, Popular, PureSVD
from reclens.models._content.words import ENGLISH
from reclens.protocols import EncoderCard, TextEncoder

TOPICS = ["ship sea storm sailor harbour", "paris love letter kiss heart", "robot laser planet alien orbit"]


@pytest.fixture(scope="module")
def films() -> pl.DataFrame:
    """Ninety plots of eight words on three topics."""
    rng = np.random.default_rng(0)
    plots = [" ".join(rng.choice(TOPICS[n % 3].split(), 8)) for n in range(90)]
    return pl.DataFrame({"item_id": [f"f{n}" for n in range(90)], "topic": [n % 3 for n in range(90)], "plot": plots})


# ------------------------------------------------------------------------------------------------------------ tf-idf


def test_tfidf_svd_is_that_of_scikit_learn(films) -> None:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = films["plot"].to_list()
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2, stop_words=list(ENGLISH))
    weights = vectorizer.fit_transform(texts)
    theirs = TruncatedSVD(10, algorithm="arpack", random_state=0).fit(weights)
    ours = TfidfSvd(dimension=10).fit(texts)
    assert ours.terms_.to_list() == vectorizer.get_feature_names_out().tolist()
    assert ours.idf_ == pytest.approx(vectorizer.idf_)
    assert ours.singular_values_ == pytest.approx(theirs.singular_values_, rel=1e-5)
    expected = theirs.transform(weights)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = ours.encode(texts)
    assert found @ found.T == pytest.approx(expected @ expected.T, abs=1e-4)
    new = ["storm in paris", "a laser", "nothing known"]
    assert (ours.encode(new) @ found.T)[2].tolist() == [0.0] * 90
    assert np.allclose(ours.encode(new)[1], ours.encode(["a laser"])[0], atol=1e-7)


def test_topics_are_near_themselves(films) -> None:
    space = embed_texts(films, columns=["plot"], dimension=3)
    cosines, topics = space.unit @ space.unit.T, films["topic"].to_numpy()
    assert cosines[topics[:, None] == topics].min() > 0.5 > 0.2 > cosines[topics[:, None] != topics].max()
    assert space.card.model == "tfidf_svd" and space.card.text_columns == ("plot",) and space.card.pooling == "sum"
    again = embed_texts(films.sample(fraction=1, shuffle=True, seed=1), columns=["plot"], dimension=3)
    assert again.card == space.card  # the order of the rows is not part of what was learned
    assert embed_texts(films.head(60), columns=["plot"], dimension=3).card.revision != space.card.revision


def test_odd_texts_are_embedded_or_listed(films) -> None:
    odd = pl.DataFrame(
        {
            "item_id": ["blank", "null", "huge", "emoji", "hebrew", "hebrew2", "foreign"],
            "plot": [
                "  \n\t",
                None,
                "ship sea " * 1_200_000,
                "🚀🎬 ship",
                "שלום עולם ship",
                "שלום עולם",
                "xyzzy qwert",
            ],
        }
    )
    space = embed_texts(pl.concat([films.drop("topic"), odd]), columns=["plot"], dimension=8)
    assert dict(space.left_out.rows()) == {"blank": "empty_text", "null": "empty_text", "foreign": "zero_vector"}
    at = dict(zip(space.ids.to_list(), space.vectors, strict=True))
    assert at["hebrew"] @ at["hebrew2"] > at["hebrew2"] @ at["f1"]
    assert at["huge"] @ at["f0"] > 0.4


def test_columns_are_joined_without_what_is_empty() -> None:
    table = pl.DataFrame({"a": [" x ", None, ""], "b": [["p", None, "q"], ["r"], []]})
    assert joined_texts(table, ["a", "b"]) == ["x\np, q", "r", ""]
    with pytest.raises(UsageError, match="no column of text"):
        joined_texts(table, [])
    with pytest.raises(UsageError, match="the column 'n' is Int64, expected text"):
        joined_texts(pl.DataFrame({"n": [1]}), ["n"])


def test_tables_that_cannot_be_embedded_are_refused(films) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'plot'"):
        embed_texts(films, columns=["plots"])
    with pytest.raises(DataError, match="none of 1 rows has a text in plot"):
        embed_texts(pl.DataFrame({"item_id": [1], "plot": [" "]}), columns=["plot"])
    with pytest.raises(DataError, match="column 'item_id', row 91: the id 'f0' stands there more than once"):
        embed_texts(pl.concat([films, films.head(1)]), columns=["plot"])
    with pytest.raises(DataError, match="has a word that another one has"):
        TfidfSvd().fit(["!", "?"])
    with pytest.raises(UsageError, match="dimension is 0"):
        TfidfSvd(dimension=0)


@pytest.mark.parametrize("shape", [(90, 120), (30, 400), (400, 20)])
def test_the_truncated_svd_is_that_of_lapack(shape, monkeypatch) -> None:
    monkeypatch.setattr(linear_algebra, "_SMALL", 25)
    rng = np.random.default_rng(1)
    matrix = rng.standard_normal((shape[0], 15)) @ rng.standard_normal((15, shape[1])) + 0.3 * rng.standard_normal(
        shape
    )
    left, values, right = truncated_svd(matrix, 12)
    u, s, v = np.linalg.svd(matrix, full_matrices=False)
    assert values == pytest.approx(s[:12], rel=1e-6)
    assert np.abs(np.sum(left * u[:, :12], axis=0)) == pytest.approx(np.ones(12), abs=1e-4)
    assert (right[np.arange(12), np.abs(right).argmax(axis=1)] > 0).all() and v.shape[0] >= 12
    assert left * values @ right == pytest.approx((u[:, :12] * s[:12]) @ v[:12], abs=1e-3 * s[0])


# -------------------------------------------------------------------------------------------------------- the cache


class Counting:
    """An encoder that counts what it is asked for, and may be killed."""

    def __init__(self, *, die_at: int | None = None, revision: str = "1") -> None:
        self.seen, self.die_at = [], die_at
        self.card = EncoderCard(
            model="counting", revision=revision, dimension=8, pooling="mean", settings={"tokens": 256}
        )

    def encode(self, texts):
        if self.die_at is not None and len(self.seen) >= self.die_at:
            raise KeyboardInterrupt
        self.seen += texts
        rows = [np.frombuffer(hashlib.sha256(text.encode()).digest()[:8], np.uint8) for text in texts]
        vectors = np.array(rows, np.float32) + 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_a_killed_run_goes_on_and_no_text_is_embedded_twice(films, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(texts_module, "_BATCH", 10)
    table = films.with_columns(plot=pl.format("{} {}", "plot", pl.int_range(90)))
    table = pl.concat([table, table.head(5).with_columns(item_id=pl.format("copy {}", "item_id"))])
    with pytest.raises(KeyboardInterrupt):
        embed_texts(table, columns=["plot"], encoder=Counting(die_at=40), cache=tmp_path)
    second, steps = Counting(), []
    space = embed_texts(
        table, columns=["plot"], encoder=second, cache=tmp_path, progress=lambda *step: steps.append(step)
    )
    assert isinstance(second, TextEncoder) and len(second.seen) == 50  # of 90 texts, 5 of them twice
    assert steps[0] == ("embed", 50, 90) and steps[-1] == ("embed", 90, 90)
    whole = embed_texts(table, columns=["plot"], encoder=Counting())
    assert np.array_equal(space.vectors, whole.vectors) and space.card == whole.card
    third = Counting()
    embed_texts(table, columns=["plot"], encoder=third, cache=tmp_path)
    other = Counting(revision="2")  # another revision of the model has a cache of its own
    embed_texts(table, columns=["plot"], encoder=other, cache=tmp_path)
    assert not third.seen and len(other.seen) == 90


def test_a_cache_survives_merging_and_broken_files(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(texts_module, "_FILES", 3)
    card = EncoderCard(model="m", revision="1", dimension=2, pooling="mean")
    cache = VectorCache(tmp_path, card)
    for word in ("a", "b", "c", "d"):
        cache.put([word], np.full((1, 2), ord(word), np.float32))
    cache.merge()
    assert len(list(cache.folder.glob("*.npz"))) == 1
    (cache.folder / "broken.npz").write_bytes(b"PK half a file")
    again = VectorCache(tmp_path, card)
    assert {at: vector.tolist() for at, vector in again.get(["c", "z", "a"]).items()} == {0: [99, 99], 2: [97, 97]}
    assert not VectorCache(tmp_path, EncoderCard(model="m", revision="1", dimension=3, pooling="mean")).get(["a"])


def test_an_encoder_of_another_dimension_is_refused(films) -> None:
    wrong = Counting()
    wrong.card = EncoderCard(model="counting", revision="1", dimension=9, pooling="mean")
    with pytest.raises(DataError, match=r"gave vectors of the shape \(90, 8\), expected \(90, 9\)"):
        embed_texts(films, columns=["item_id"], encoder=wrong)


# ------------------------------------------------------------------------------------------------------------ models


@pytest.fixture(scope="module")
def ratings():
    return synthetic_movielens(n_users=120, n_items=80, n_ratings=3000, rng=3)


@pytest.mark.parametrize(
    "model", [ALS(factors=8, iterations=3), BPR(factors=8, epochs=3), PureSVD(factors=8)], ids=lambda m: m.name
)
def test_products_of_factors_are_the_scores(model, ratings) -> None:
    items, users = embed_model(model.fit(ratings), items=ratings.items)
    table = model.recommend(k=5).table.filter(pl.col("score").is_not_null())
    products = np.sum(users.vectors[users.rows(table["user_id"])] * items.vectors[items.rows(table["item_id"])], axis=1)
    assert products == pytest.approx(table["score"].to_numpy(), rel=1e-4, abs=1e-5)
    assert items.card == users.card and items.card.similarity == "dot" and not items.card.normalized
    assert items.attributes["title"][0] == ratings.items.sort("item_id")["title"][0]


@pytest.mark.parametrize("model", [EASE(l2=50), SLIM()], ids=lambda m: m.name)
def test_all_singular_vectors_of_weights_give_the_scores(model, ratings) -> None:
    model.fit(ratings)
    items, users = embed_model(model, dimension=80)
    table = model.recommend(k=5).table
    products = np.sum(users.vectors[users.rows(table["user_id"])] * items.vectors[items.rows(table["item_id"])], axis=1)
    assert products == pytest.approx(table["score"].to_numpy(), rel=1e-3, abs=1e-4)
    assert items.card.settings["explained"] == pytest.approx(1)
    few = embed_model(model, dimension=4).items.card
    singular = np.linalg.svd(np.asarray(model._similarities(np.arange(80))), compute_uv=False)
    assert few.settings["explained"] == pytest.approx((singular[:4] ** 2).sum() / (singular**2).sum(), rel=1e-3)


def test_a_model_without_vectors_is_refused(ratings) -> None:
    with pytest.raises(UsageError, match=r"popular has no vectors .* als, bert4rec, bpr, ease, esasrec, .* slim"):
        embed_model(Popular().fit(ratings))


# ------------------------------------------------------------------------------------------------------------- files


def safetensors(tensors: dict[str, tuple[str, list[int], bytes]], **metadata) -> bytes:
    """A file as the format describes it: length of the header, header, numbers."""
    header, data = {"__metadata__": metadata}, b""
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


VALUES = np.array([[1, 2], [3, -4], [0.5, 8]], np.float32)


@pytest.mark.parametrize("kind", ["npy", "parquet", "array", "safetensors", "bf16", "arrow", "pandas"])
def test_vectors_of_any_file_or_table(kind, tmp_path) -> None:
    frame = pl.DataFrame({"item_id": [7, 5, 9], "vector": VALUES.tolist(), "title": ["a", "b", "c"]})
    file, ids = tmp_path / f"clip.{'safetensors' if kind == 'bf16' else kind}", frame.select("item_id", "title")
    if kind == "npy":
        np.save(file, VALUES.astype(np.float64))
    elif kind == "parquet":
        frame.write_parquet(file)
    elif kind == "safetensors":
        parts = {"bias": ("F32", [2], bytes(8)), "items": ("F16", [3, 2], VALUES.astype("<f2").tobytes())}
        file.write_bytes(safetensors(parts, format="pt"))
    elif kind == "bf16":
        file.write_bytes(safetensors({"x": ("BF16", [3, 2], (VALUES.view(np.uint32) >> 16).astype("<u2").tobytes())}))
    tables = {"array": VALUES, "arrow": frame.to_arrow(), "pandas": frame.to_arrow().to_pandas()}
    space = read_vectors(tables.get(kind, file), ids=None if kind in ("parquet", "arrow", "pandas") else ids)
    assert space.ids.to_list() == [7, 5, 9] and space.vectors.tolist() == VALUES.tolist()
    assert space.attributes["title"].to_list() == ["a", "b", "c"]
    assert space.card.model in ("clip", "array") and space.card.dimension == 2
    other = read_vectors(VALUES + 1, ids=ids).card
    assert read_vectors(VALUES, ids=ids).card.revision == space.card.revision != other.revision


def test_a_file_of_the_library_is_read(tmp_path) -> None:
    library = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed: pip install safetensors")
    library.save_file({"emb": VALUES}, tmp_path / "x.safetensors")
    assert read_vectors(tmp_path / "x.safetensors").vectors.tolist() == VALUES.tolist()


@pytest.mark.parametrize(
    ("source", "more", "error", "said"),
    [
        ([[1.0, 2.0], [3.0]], {}, DataError, r"row 2: the vector of 1 has 1 dimensions, and others have 2"),
        ([[1.0, 2.0], None], {}, DataError, "the vector of 1 holds what is no finite number"),
        ([[1.0, float("nan")], [1.0, 1.0]], {}, DataError, "row 1: the vector of 0 holds what is no finite number"),
        ([[0.0, 0.0], [1.0, 1.0]], {}, DataError, "the vector of 0 is 0"),
        ([[1.0, 2.0], [2.0, 1.0]], {"vector_column": "vektor"}, UnknownNameError, "Did you mean 'vector'"),
        ([[1.0, 2.0], [2.0, 1.0]], {"vector_column": "item_id"}, DataError, "it is Int64, expected lists of numbers"),
        ([[1.0, 2.0], [2.0, 1.0]], {"id_column": "id"}, UnknownNameError, "unknown column 'id'"),
        ([1.0, 2.0], {}, UsageError, "no column holds lists of numbers"),
    ],
)
def test_tables_that_are_no_vectors_are_refused(source, more, error, said) -> None:
    with pytest.raises(error, match=said):
        read_vectors(pl.DataFrame({"item_id": [0, 1], "vector": source}), **more)


def test_what_has_no_direction_can_be_left_out() -> None:
    table = pl.DataFrame({"item_id": [0, 1, 2], "vector": [[0.0, 0.0], None, [3.0, 4.0]]})
    space = read_vectors(table, invalid="leave_out", normalize=True)
    assert space.ids.to_list() == [2] and space.vectors[0].tolist() == pytest.approx([0.6, 0.8])
    assert space.left_out.rows() == [(0, "zero_vector"), (1, "not_finite")]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 20,
        struct.pack("<Q", 12) + b"{not json at",
        safetensors({"x": ("F32", [1000, 1000], bytes(16))}),
        safetensors({"x": ("F99", [2, 2], bytes(16))}),
        safetensors({"x": ("F32", [2, 2], bytes(16))})[:-4],
    ],
)
def test_broken_safetensors_are_refused(content, tmp_path) -> None:
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(DataError, match=r"x\.safetensors"):
        read_vectors(tmp_path / "x.safetensors")


def test_files_that_cannot_be_read_are_refused(tmp_path) -> None:
    (tmp_path / "x.npy").write_bytes(b"half")
    two = safetensors({name: ("F32", [2, 2], bytes(16)) for name in "ab"})
    (tmp_path / "x.safetensors").write_bytes(two)
    with pytest.raises(DataError, match=r"x\.npy: it cannot be read"):
        read_vectors(tmp_path / "x.npy")
    with pytest.raises(DataError, match=r"nowhere\.parquet: there is no such file"):
        read_vectors(tmp_path / "nowhere.parquet")
    with pytest.raises(UsageError, match=r"Expected \.npy, \.parquet, \.safetensors"):
        read_vectors(tmp_path / "x.pickle")
    with pytest.raises(UsageError, match=r"holds 2 tables of numbers \(a, b\)"):
        read_vectors(tmp_path / "x.safetensors")
    with pytest.raises(UnknownNameError, match=r"unknown tensor of x\.safetensors 'c'"):
        read_vectors(tmp_path / "x.safetensors", tensor="c")
    with pytest.raises(ArgumentTypeError, match="source is an int"):
        read_vectors(3)
    with pytest.raises(DataError, match="there are 1 ids and 3 vectors"):
        read_vectors(VALUES, ids=["a"])


def test_ids_that_repeat_are_named_by_the_column_and_file_that_hold_them(tmp_path) -> None:
    table = pl.DataFrame({"film": [7, 8, 7], "vector": [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]})
    table.write_parquet(tmp_path / "films.parquet")
    with pytest.raises(DataError, match=r"films.parquet, column 'film', row 3: the id 7 stands there more than once"):
        read_vectors(tmp_path / "films.parquet", id_column="film")
    np.save(tmp_path / "films.npy", np.eye(3))
    table.select("film").write_parquet(tmp_path / "ids.parquet")
    with pytest.raises(DataError, match=r"ids.parquet, column 'film', row 3: the id 7"):
        read_vectors(tmp_path / "films.npy", ids=tmp_path / "ids.parquet", id_column="film")
    with pytest.raises(DataError, match=r"^row 3: the id 'a' stands there more than once") as caught:
        read_vectors(np.eye(3), ids=["a", "b", "a"])
    assert caught.value.column is None and caught.value.row == 3
