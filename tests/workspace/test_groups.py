"""Which evaluations belong together, and which of their groups pages open with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from reclens.evaluation import evaluate
from reclens.workspace.artefact import Artefact
from reclens.workspace.groups import measured_alike, run_groups


def test_one_new_run_does_not_change_which_group_comes_first() -> None:
    lists = pl.DataFrame({"user_id": [1, 2], "item_id": [7, 8], "rank": [1, 1]})
    truths = [pl.DataFrame({"user_id": [1, 2], "item_id": items}) for items in ([7, 9], [9, 8], [7, 8])]
    cards = [evaluate(lists, truth, metrics=["ndcg@10"], replicates=0).card for truth in truths]
    # Written in this order: two runs on the first truth, two on the second, then one more on the first.
    written = [("old-1", 0), ("old-2", 0), ("new-1", 1), ("new-2", 1), ("upload", 0), ("alone", 2)]
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    found = []
    for at, (name, truth) in enumerate(written):
        when, about = begun + timedelta(days=at), {"evaluation": dict(cards[truth])}
        found.append(Artefact(kind="evaluation", name=name, created=when, bytes=0, path=Path(name), card=about))
    groups = [each.names for each in run_groups(reversed(found))]
    assert groups == [("new-2", "new-1"), ("upload", "old-2", "old-1"), ("alone",)]
    assert measured_alike(reversed(found), "upload") == groups[1] and measured_alike(found, "nobody") == ()
