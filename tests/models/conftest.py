"""A recommender whose scores are given, so that what is made of them can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date

import numpy as np
import polars as pl
import pytest

from reclens import models
from reclens.data.dataset import Dataset
from reclens.models import Recommender
from reclens.models._core.form import Form, numbers


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs PyTorch, so that `make test-torch` finds it: the networks, and their models in other tests."""
    needing = {name for name in models.names() if models.get(name).extra}
    for item in items:
        given = getattr(item, "callspec", None)
        if "_deep" in item.path.parts or (
            given is not None and needing & {str(each) for each in given.params.values()}
        ):
            item.add_marker("deep")


@pytest.fixture(autouse=True)
def one_core(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks this small are slower on two threads than on one."""
    if request.node.get_closest_marker("deep"):
        monkeypatch.setattr("reclens.engine._usable_cores", lambda: 1)


@dataclass(kw_only=True)
class Fixed(Recommender):
    """The same scores for everybody, by item in the order of the ids; None is no score."""

    name = "fixed"

    values: list = field(default_factory=list)
    anybody: bool = False
    folding: bool = True
    cold: bool = False

    @property
    def is_personalized(self) -> bool:
        return not self.anybody

    @property
    def supports_fold_in(self) -> bool:
        return self.folding

    @property
    def cold_items(self) -> bool:
        return self.cold

    def _fit(self, train, engine, progress) -> None:
        known = [-np.inf if value is None else value for value in self.values]
        self.row_ = np.array(known, np.float32)
        assert len(self.row_) == len(self.items_)

    def _scores(self, block) -> np.ndarray:
        return np.repeat(self.row_[None, :], len(block.users), axis=0)

    def _reasons(self, block, item):
        return "count", ["given"], self.row_[[item]].astype(np.float64)

    def _state(self) -> dict[str, np.ndarray]:
        return {"row": np.maximum(self.row_, -3e38)}  # what is kept is finite

    def _form(self) -> Mapping[str, Form]:
        return {"row": numbers("items")}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.row_ = np.where(arrays["row"] < -2e38, np.float32(-np.inf), arrays["row"])


@pytest.fixture(scope="session")
def small_options() -> Callable[[str], dict]:
    """Hyper-parameters of a model that is fitted in a moment; skips the test where its extra is not installed."""

    def options(name: str) -> dict:
        kind = models.get(name)
        if kind.extra is None:
            return {}
        pytest.importorskip("torch", reason="PyTorch is not installed: run make test-torch")
        known = {each.name for each in fields(kind)}
        small = {"factors": 8, "epochs": 2, "max_length": 10, "batch_size": 32, "device": "cpu"}
        return {name: value for name, value in small.items() if name in known}

    return options


@pytest.fixture
def fixed(monkeypatch: pytest.MonkeyPatch) -> type[Fixed]:
    """``fixed`` is a model that descriptions can name."""
    real = models.get
    monkeypatch.setattr(models, "get", lambda name: Fixed if name == "fixed" else real(name))
    return Fixed


@pytest.fixture
def seven() -> Dataset:
    """Seven items, 0 to 6, and users with one, two and four of them; item 7 is only in the items table."""
    rows = [(1, 0), (2, 1), (2, 5), (3, 2), (3, 3), (3, 4), (3, 6)]
    table = pl.DataFrame(rows, ["user_id", "item_id"], orient="row")
    return Dataset(table, items=pl.DataFrame({"item_id": list(range(8))}))


@pytest.fixture(scope="session")
def shop() -> Callable[..., models.Knowledge]:
    """Fits the model of knowledge on a shop of six goods; user 1 has a and b, user 2 has a."""
    goods = pl.DataFrame(
        [
            ("a", "Alpha tent", ["camping", "light"], 100.0, "Nord", 2019, date(2024, 1, 1), True),
            ("b", "Beta tent", ["camping"], 60.0, "Nord", 2021, date(2024, 2, 1), False),
            ("c", "Gamma bag", ["camping", "warm"], 40.0, "Sud", 2020, None, None),
            ("d", "Delta stove", ["cooking"], None, "Sud", 2022, date(2024, 3, 1), True),
            ("e", None, [], 20.0, None, None, date(2024, 4, 1), False),
            ("f", "Zeta tent", None, 80.0, "Ost", 2021, date(2024, 5, 1), True),
        ],
        ["item_id", "title", "tags", "price", "brand", "year", "since", "stock"],
        orient="row",
    )
    seen = pl.DataFrame({"user_id": [1, 1, 2], "item_id": ["a", "b", "a"]})
    return lambda **options: models.Knowledge(**options).fit(Dataset(seen, users=None, items=goods))
