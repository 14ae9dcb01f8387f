"""What people write down is kept, by day, and can be taken away."""

from __future__ import annotations

from datetime import date

import pytest

import reclens as rl
from reclens.monitor.annotations import Annotations

DAY = date(2026, 3, 2)


def test_annotations_are_kept_in_the_order_of_their_days(tmp_path):
    book = Annotations(tmp_path / "state" / "annotations.json")
    assert book.list() == []
    deploy = book.add("deploy", date(2026, 3, 5), "v2 <b>é", by="ann", dimension="surface", slice="home")
    holiday = book.add("holiday", DAY, "Fair", by="bob", end=date(2026, 3, 4))
    assert Annotations(book.path).list() == [holiday, deploy]
    assert (deploy.id, holiday.id, deploy.suppress, holiday.suppress) == ("1", "2", False, True)
    assert book.list(date(2026, 3, 4), date(2026, 3, 4)) == [holiday]
    assert book.list(date(2026, 3, 6)) == [] and book.list(end=date(2026, 3, 1)) == []


def test_the_number_of_one_that_was_removed_is_not_given_again(tmp_path):
    book = Annotations(tmp_path / "a.json")
    one = book.add("note", DAY, "one", by="ann")
    assert book.remove(one.id) == one and book.list() == []
    assert book.add("note", DAY, "two", by="ann").id == "2"
    with pytest.raises(rl.errors.UnknownNameError, match="unknown annotation '1'"):
        book.remove("1")


def test_what_cannot_be_is_refused(tmp_path):
    book = Annotations(tmp_path / "a.json")
    for given, says in (
        ({"end": date(2026, 3, 1)}, "end is 2026-03-01, before start"),
        ({"slice": "home"}, "without a dimension"),
        ({"by": " "}, "by is empty"),
    ):
        with pytest.raises(rl.errors.UsageError, match=says):
            book.add("note", DAY, "", **{"by": "ann", **given})
    book.path.write_text("{", encoding="utf-8")
    with pytest.raises(rl.errors.WorkspaceError, match=r"a\.json cannot be read"):
        book.list()
