"""Every way to split against sets of Python."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from reclens.data.split import Split, by_time, by_user, last_n, random, rolling
from reclens.errors import DataError
from split_logs import TASKS, Row, days, pairs, read_log

logs = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("stuvw"), st.integers(1, 40)), min_size=8, max_size=40
)


tasks = st.sampled_from(TASKS)


def made(way, *args, **options) -> Iterator[Split]:
    """The splits, or none where the log is too small."""
    try:
        found = way(*args, **options)
    except DataError:
        return
    yield from found if isinstance(found, list) else [found]


def new_of(held: list[Row], learned: list[Row], task: str) -> set[tuple[str, str]]:
    """What is to be held out: pairs of users that are known, without those that were learned where new items count."""
    known, had = {user for user, *_ in learned}, {(user, item) for user, item, _ in learned}
    return {(u, i) for u, i, _ in held if u in known and (task == "with_repeats" or (u, i) not in had)}


@given(logs, tasks, st.integers(2, 40))
def test_by_time_against_sets(rows: list[Row], task, cut: int) -> None:
    at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=cut - 1)
    early, late = [row for row in rows if row[2] < cut], [row for row in rows if row[2] >= cut]
    expected = new_of(late, early, task)
    found = list(made(by_time, read_log(rows), at=at, task=task))
    assert len(found) == bool(expected)
    for split in found:
        assert pairs(split.test) == expected
        assert pairs(split.train.interactions) == {row[:2] for row in early}
        assert days(split.train.events) == sorted(early)
        # What comes later changes nothing of what is learned.
        latest = {pair: max(day for u, i, day in early if (u, i) == pair) for pair in {row[:2] for row in early}}
        assert {(u, i): day for u, i, day in days(split.train.interactions)} == latest


@given(logs, tasks)
def test_by_time_with_validation_against_sets(rows: list[Row], task) -> None:
    for split in made(by_time, read_log(rows), test_share=0.3, validation_share=0.3, task=task):
        assert split.validation is not None
        cut = datetime.fromisoformat(split.card["cut"]).timetuple().tm_yday
        inner = datetime.fromisoformat(split.card["validation_cut"]).timetuple().tm_yday
        learned = [row for row in rows if row[2] < inner]
        between = [row for row in rows if inner <= row[2] < cut]
        validation = new_of(between, learned, task)
        assert pairs(split.validation) == validation
        known = [(u, i, 0) for u, i in validation]
        test = new_of([row for row in rows if row[2] >= cut], learned, task)
        assert pairs(split.test) == (test - {row[:2] for row in known} if task == "new_items" else test)


@given(logs, tasks)
def test_rolling_against_sets(rows: list[Row], task) -> None:
    for split in made(rolling, read_log(rows), folds=2, test_share=0.25, task=task):
        cut = datetime.fromisoformat(split.card["cut"]).timetuple().tm_yday
        until = split.card["until"]
        end = 400 if until is None else datetime.fromisoformat(until).timetuple().tm_yday
        early = [row for row in rows if row[2] < cut]
        assert pairs(split.test) == new_of([row for row in rows if cut <= row[2] < end], early, task)
        assert pairs(split.train.interactions) == {row[:2] for row in early}


@given(logs, tasks, st.integers(1, 3))
def test_last_n_against_sets(rows: list[Row], task, n: int) -> None:
    rows = list({(user, day): (user, item, day) for user, item, day in rows}.values())  # no ties
    ordered = {user: sorted((row for row in rows if row[0] == user), key=lambda row: row[2]) for user, *_ in rows}
    held = [row for own in ordered.values() for row in (own[-n:] if len(own) > n else [])]
    learned = [row for row in rows if row not in held]
    expected = new_of(held, learned, task)
    found = list(made(last_n, read_log(rows), n=n, task=task))
    assert len(found) == bool(expected)
    for split in found:
        assert pairs(split.test) == expected
        assert days(split.train.events) == sorted(learned)


@given(logs, tasks, st.randoms(use_true_random=False))
def test_by_lot_against_sets(rows: list[Row], task, shuffler) -> None:
    rows = sorted(set(rows))
    data = read_log(rows)
    for split in made(random, data, test_share=0.4, task=task):
        _check_units(rows, split, task, pairs(split.test), {user for user, *_ in rows})
        mixed = shuffler.sample(rows, len(rows))
        again = random(read_log(mixed), test_share=0.4, task=task)
        assert pairs(again.test) == pairs(split.test)
        assert days(again.train.events) == days(split.train.events)


@given(logs, tasks)
def test_by_user_against_sets(rows: list[Row], task) -> None:
    rows = sorted(set(rows))
    for split in made(by_user, read_log(rows), n_test_users=1, fold_in_share=0.6, task=task):
        assert split.fold_in is not None
        users = set(split.fold_in["user_id"])
        assert len(users) == 1 and not users & set(split.train.events["user_id"])
        assert days(split.train.events) == [row for row in rows if row[0] not in users]
        told, held = pairs(split.fold_in), pairs(split.test)
        assert told | held == {row[:2] for row in rows if row[0] in users}
        if task == "new_items":
            assert not told & held
            assert len(held) == min(max(int(len(told | held) * 0.4 + 1e-9), 1), len(told | held) - 1)


def _check_units(rows: list[Row], split: Split, task: str, held: set, users: set[str]) -> None:
    """By lot a share of each user's pairs is held out, or of her events."""
    learned = days(split.train.events)
    for user in users:
        own = [row for row in rows if row[0] == user]
        units = {row[:2] for row in own} if task == "new_items" else own
        n_test = min(max(int(len(units) * 0.4 + 1e-9), 1), len(units) - 1)
        mine = {pair for pair in held if pair[0] == user}
        if task == "new_items":
            assert len(mine) == n_test
            assert [row for row in learned if row[0] == user] == [row for row in own if row[:2] not in mine]
        else:
            assert len([row for row in learned if row[0] == user]) == len(own) - n_test
            assert {row[:2] for row in own if row not in learned} == mine
