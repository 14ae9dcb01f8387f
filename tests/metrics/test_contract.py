"""What every registered metric has to keep, whatever it measures."""

from __future__ import annotations

import numpy as np
import pytest

from reclens.errors import ArgumentTypeError, UnknownNameError, UsageError
from reclens.metrics import describe, family_of, names, needs_of, parse
from reclens.metrics.conventions import CONVENTIONS, convention_named
from reclens.metrics.lists import Lists
from reclens.metrics.registry import asked_name
from reclens.testing.metrics import check_metric


@pytest.mark.parametrize("name", names())
def test_the_contract(name: str) -> None:
    check_metric(name)


def test_a_metric_of_ones_own_is_one_function() -> None:
    from reclens.metrics import metric, registry

    @metric(title="Length of the list", high=None)
    def list_length_for_a_test(lists: Lists, convention: object) -> np.ndarray:
        """How long the list is.
        Range: 0 … k.
        """
        return lists.length.astype(np.float64)

    try:
        assert "list_length_for_a_test" in names()
        assert parse("list_length_for_a_test@3").k == 3
        assert describe("list_length_for_a_test").facts == [("Range", "0 … k.")]
    finally:
        registry._REGISTERED.pop("list_length_for_a_test")


def test_a_metric_is_asked_for_by_name_or_as_it_is() -> None:
    for asked, text in (
        ("ndcg@10", "ndcg@10"),
        (describe("ndcg") @ 10, "ndcg@10"),
        (describe("r_precision"), "r_precision"),
    ):
        assert (asked_name(asked), parse(asked).text) == (text, text)
    with pytest.raises(ArgumentTypeError, match="Decorate it"):
        asked_name(lambda lists, convention: lists)


def test_unknown_and_malformed_names_are_explained() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'ndcg'"):
        parse("ncdg@10")
    malformed = {
        "ndcg": "needs a cut-off",
        "r_precision@5": "takes no cut-off",
        "ndcg@0": "not a positive",
        "ndcg@000": "not a positive",
        "ndcg@-1": "not a positive",
        "ndcg@x": "not a positive",
        "a b": "not a metric",
    }
    for text, complaint in malformed.items():
        with pytest.raises(UsageError, match=complaint):
            parse(text)


@pytest.mark.parametrize("digits", ["1000001", "999999999", "1000000000", "9" * 5_000])
def test_a_cut_off_too_large_is_not_said_to_be_no_whole_number(digits: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(f"ndcg@{digits}")
    assert str(caught.value) == (
        f"the cut-off of 'ndcg@{digits}' is too large: the largest is 1,000,000, and no list is longer than the "
        "catalogue. Write ndcg@10."
    )


@pytest.mark.parametrize("text", ["ndcg@1000000", "ndcg@01000000", f"ndcg@{'0' * 5_000}1000000"])
def test_the_largest_cut_off(text: str) -> None:
    assert (parse(text).k, parse(text).text) == (1_000_000, "ndcg@1000000")


def test_the_facts_of_a_docstring_are_labelled() -> None:
    facts = describe("ndcg").facts
    formula = "divided by the same sum over the user's relevant items in their best order."
    assert facts[0][0] == "Formula" and facts[0][1].endswith(formula)
    assert ("Range", "0 … 1, higher is better.") in facts
    assert ("", "Users without a list count 0; users without relevant items are left out.") in facts
    assert ("Discount", "log2(rank + 1) (`lenskit`: log2(max(rank, 2))).") in facts


@pytest.mark.parametrize("name", names())
def test_every_metric_says_when_to_use_it_and_when_it_misleads(name: str) -> None:
    info = describe(name)
    assert info.family != "other" and info.use_when.endswith(".") and info.misleads_when.endswith(".")
    row = info.to_dicts()[0]
    assert (row["family"], row["use_when"], row["misleads_when"]) == (info.family, info.use_when, info.misleads_when)
    assert f"Use when: {info.use_when}" in " ".join(info.doc.split())  # what the dashboard and `metrics show` print


def test_the_family_and_needs_of_a_metric_that_is_not_registered_here() -> None:
    assert (family_of("clicks_of_ours@3"), needs_of("clicks_of_ours@3")) == ("other", ())
    assert (family_of("arp@10"), needs_of("diversity@5")) == ("popularity", ("features",))


def test_every_convention_names_a_library_or_a_paper() -> None:
    assert all(len(convention_named(name).summary) > 20 for name in CONVENTIONS)
    assert "1.2" in convention_named("recommenders").summary
