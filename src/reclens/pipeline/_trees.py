"""Whether a text of LightGBM holds trees and nothing else: its own reader trusts the indices that it finds."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from reclens.errors import DataError

__all__ = ["check_trees"]

_HEAD: Final = (
    "tree",
    "version",
    "num_class",
    "num_tree_per_iteration",
    "label_index",
    "max_feature_idx",
    "objective",
    "feature_names",
    "feature_infos",
    "tree_sizes",
)
_OF_NODES: Final = (
    "split_feature",
    "split_gain",
    "threshold",
    "decision_type",
    "left_child",
    "right_child",
    "internal_value",
    "internal_weight",
    "internal_count",
)
_OF_LEAVES: Final = ("leaf_value", "leaf_weight", "leaf_count")
_ONES: Final = ("Tree", "num_leaves", "num_cat", "is_linear", "shrinkage")
_NUMBER: Final = re.compile(r"-?(?:\d+(?:\.\d*)?(?:e[+-]?\d+)?|inf)")
_CATEGORICAL: Final = 1
"""The bit of a decision that stands for categories, which our trees do not have."""


def check_trees(text: str, n_features: int) -> str:
    """The part of a text that holds the trees; the parameters behind it are left out, no prediction needs them.

    Args:
        text: As LightGBM writes its models: regression trees over numbers, each node with two children.
        n_features: Features that the trees may ask for.

    Raises:
        DataError: If a node asks for another feature, the nodes make no tree, or there is anything else in the text.
    """
    body, end, _ = text.partition("end of trees\n")
    head, _, rest = body.partition("\n\n")
    lines = _named(head)
    trees = re.findall(r"Tree=\d+\n.*?\n\n\n", rest, re.DOTALL)
    lists = {name: lines.get(name, "").split() for name in ("feature_names", "feature_infos", "tree_sizes")}
    whole = (
        bool(end)
        and tuple(lines) == _HEAD
        and "".join(trees) == rest
        and (lines["num_class"], lines["num_tree_per_iteration"]) == ("1", "1")
        and lines["max_feature_idx"] == str(n_features - 1)
        and len(lists["feature_names"]) == len(lists["feature_infos"]) == n_features
        and lists["tree_sizes"] == [str(len(tree.encode())) for tree in trees]
    )
    if not whole:
        raise DataError("the text of the trees is not as LightGBM writes it for this ranker")
    for number, tree in enumerate(trees):
        if not _is_tree(_named(tree.strip()), number, n_features):
            raise DataError(f"tree {number} is no tree over {n_features} features")
    return body + end


def _named(text: str) -> dict[str, str]:
    """Lines ``name=value``."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        found[name] = value
    return found


def _is_tree(lines: dict[str, str], number: int, n_features: int) -> bool:
    """Whether a tree has lists of the right lengths, and its nodes hang together."""
    values = {name: text.split() for name, text in lines.items()}
    if set(values) != {*_ONES, *_OF_NODES, *_OF_LEAVES} or not all(
        _NUMBER.fullmatch(each) for numbers in values.values() for each in numbers
    ):
        return False
    ones = [" ".join(values[name]) for name in ("Tree", "num_cat", "is_linear")]
    if ones != [str(number), "0", "0"] or len(values["shrinkage"]) != 1 or not lines["num_leaves"].isdigit():
        return False
    leaves = int(lines["num_leaves"])
    if leaves == 1:  # LightGBM stops reading after the value of the only leaf
        return len(values["leaf_value"]) == 1
    lengths = dict.fromkeys(_OF_NODES, leaves - 1) | dict.fromkeys(_OF_LEAVES, leaves)
    if any(len(values[name]) != length for name, length in lengths.items()):
        return False
    feature, decision, left, right = (
        np.array(values[name], np.float64).astype(np.int64)
        for name in ("split_feature", "decision_type", "left_child", "right_child")
    )
    # Leaves are written as ~leaf. Each leaf and each node but the root is the child of one node, and nodes come before
    # their children: so there is no way round in circles.
    children, parents = np.concatenate([left, right]), np.tile(np.arange(leaves - 1), 2)
    hangs = sorted(children) == [*range(-leaves, 0), *range(1, leaves - 1)]
    ordered = bool((children[children > 0] > parents[children > 0]).all())
    inside = bool(((feature >= 0) & (feature < n_features)).all())
    return hangs and ordered and inside and not (decision & _CATEGORICAL).any()
