"""Configurations of RecBole, translated."""

from __future__ import annotations

import pytest

from reclens import models
from reclens.errors import UnknownNameError, UsageError


def test_every_shared_model_can_be_built() -> None:
    own = {"epochs": 3, "stopping_step": 2, "learning_rate": 0.01, "seed": 4, "topk": [10], "eval_args": {}}
    for config, wanted in (
        ({"model": "ItemKNN", "k": 250, "shrink": 1.2}, {"neighbors": 250, "shrinkage": 1.2}),
        (
            {"model": "SASRec", "n_layers": 3, "hidden_size": 32, "MAX_ITEM_LIST_LENGTH": 50},
            {"blocks": 3, "factors": 32},
        ),
        ({"model": "BERT4Rec", "mask_ratio": 0.3, "hidden_dropout_prob": 0.1}, {"mask_share": 0.3, "dropout": 0.1}),
        ({"model": "GRU4Rec", "embedding_size": 48, "num_layers": 2}, {"factors": 48, "layers": 2}),
        (
            {"model": "DeepFM", "mlp_hidden_size": [8, 4], "threshold": {"rating": 4}},
            {"hidden": (8, 4), "positive_from": 4},
        ),
        ({"model": "BPR", "embedding_size": 16}, {"factors": 16, "epochs": 3}),
        ({"model": "Pop"}, {}),
    ):
        found = models.from_recbole({**config, **own})
        model = models.build(found.model, found.parameters)
        assert {name: getattr(model, name) for name in wanted} == wanted
        assert {"topk", "eval_args"} <= set(found.left_out)
        if hasattr(model, "patience"):
            assert (model.patience, model.seed, model.learning_rate) == (2, 4, 0.01)


def test_the_penalties_of_slim_grow_with_the_users() -> None:
    """scikit-learn's objective, which RecBole uses, is divided by the number of rows."""
    config = {"model": "SLIMElastic", "alpha": 0.2, "l1_ratio": 0.005}
    found = models.from_recbole(config, n_users=943)
    assert found.parameters == {"l1": pytest.approx(0.943), "l2": pytest.approx(187.657)} and found.left_out == ()
    with pytest.raises(UsageError, match="give n_users"):
        models.from_recbole(config)


def test_what_has_no_counterpart() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'SASRec'"):
        models.from_recbole({"model": "SASRecF"})
    with pytest.raises(UsageError, match="loss_type BPR of SASRec"):
        models.from_recbole({"model": "SASRec", "loss_type": "BPR"})
    with pytest.raises(UsageError, match="names no model"):
        models.from_recbole({})


def test_a_file_of_recbole(tmp_path) -> None:
    """As its documentation writes them; a plain reader of YAML takes ``1e-3`` for text."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    text = (
        "model: SASRec\ntrain_batch_size: 2048\nlearning_rate: 1e-3\nstopping_step: 10\nn_layers: 2\nn_heads: 2\n"
        "hidden_size: 64\nhidden_dropout_prob: 0.5\nMAX_ITEM_LIST_LENGTH: 50\nloss_type: 'CE'\n"
        "metrics: [Recall, NDCG]\n"
    )
    found = models.from_recbole(yaml.safe_load(text))
    model = models.build(found.model, found.parameters)
    assert (model.learning_rate, model.patience, model.blocks, model.heads) == (0.001, 10, 2, 2)
    assert (model.factors, model.dropout, model.max_length, model.loss) == (64, 0.5, 50, "cross_entropy")
    assert found.left_out == ("train_batch_size", "metrics")
