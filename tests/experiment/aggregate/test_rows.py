"""Rows of a log that are missing, duplicated or extreme: counted by arm, and blocking where the arms differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from reclens.errors import DataError, IncomparableError, UsageError
from reclens.experiment import Plan
from reclens.experiment.aggregate.aggregates import Aggregates
from reclens.experiment.aggregate.gather import gather, gather_events
from reclens.experiment.aggregate.metric_columns import metric_columns_of
from reclens.experiment.aggregate.tally import Counted, Tally
from reclens.experiment.analysis.readout import Readout, read_sums
from reclens.experiment.check_result import TrustCheck
from reclens.stats.arms import compare_arms
from reclens.stats.counts import mean_scores

ARMS = np.array(["old", "new"])


def plan(**more: Any) -> Plan:
    metrics = ({"name": "clicks", "value": "clicks"},)
    return Plan(
        **(
            {"name": "t", "arms": {"old": 0.5, "new": 0.5}, "metrics": metrics, "days": 28, "start": "2026-01-05"}
            | more
        )
    )


def log(rng: np.random.Generator, *, users: int = 600, days: int = 28, arrive: int = 20) -> pl.DataFrame:
    """Six events of a user on average over 28 days; nobody new comes in after day 20."""
    arm, first = rng.integers(0, 2, users), rng.random(users) * arrive
    user = np.repeat(np.arange(users), 1 + rng.poisson(rng.gamma(2, 2.5, users)))
    at = first[user] + rng.random(len(user)) * (days - first[user]) * (np.diff(user, prepend=-1) == 0)
    at[-1] = days - 1e-3
    return pl.DataFrame(
        {
            "user_id": user,
            "variant": ARMS[arm[user]],
            "clicks": (rng.random(len(user)) < 0.3).astype(float),
            "timestamp": np.datetime64("2026-01-05", "us") + (at * 86_400e6).astype("timedelta64[us]"),
        }
    )


def read(frame: pl.DataFrame, of: Plan | None = None, **more: Any) -> Readout:
    return read_sums(of or plan(), gather_events(frame, of or plan(), tails=True, **more))


def means(found: Readout) -> tuple[float, float, float]:
    effect = found.effects[0].found
    return effect.control, effect.treatment, effect.se


def check(found: Readout, code: str) -> TrustCheck:
    return next(each for each in found.trust_checks if each.code == code)


def without(frame: pl.DataFrame, rng: np.random.Generator, share: dict[str, float]) -> pl.DataFrame:
    """Clicks missing at random, of the events of each arm."""
    lost = pl.Series(rng.random(frame.height)) < pl.col("variant").replace_strict(share, return_dtype=pl.Float64)
    return frame.with_columns(clicks=pl.when(lost).then(None).otherwise("clicks"))


def test_mean_scores_are_those_of_kruskal_and_of_pearson() -> None:
    groups = [[2.1, 4.0, 7.7, 1.0], [9.2, 3.3], [5.5, 6.1, 8.0]]
    ranks = np.split(stats.rankdata(np.concatenate(groups)), np.cumsum([4, 2]))
    found = mean_scores([4, 2, 3], [r.sum() for r in ranks], [(r**2).sum() for r in ranks])
    assert (found.statistic, found.p_value) == pytest.approx(stats.kruskal(*groups))
    shares = mean_scores([200, 300], [50, 45], [50, 45])
    pearson = stats.chi2_contingency([[50, 150], [45, 255]], correction=False).statistic
    assert shares.statistic == pytest.approx(pearson * 499 / 500) and shares.df == 1
    assert mean_scores([2, 2], [0.2, 0.2], [0.02, 0.02]).p_value == 1.0
    with pytest.raises(UsageError, match="two groups or more"):
        mean_scores([5], [1.0], [1.0])


def counted(units: int, faulty: int) -> Counted:
    return Counted(units, faulty, faulty, units, faulty, faulty)


def test_few_faulty_units_are_tested_exactly_and_many_by_chi_square() -> None:
    def p(*pairs: tuple[int, int]) -> float:
        return Tally(
            code="missing_units",
            column="x",
            handled="left_out",
            arms={str(i): counted(*pair) for i, pair in enumerate(pairs)},
        ).p_value

    # 11 of 11 in one of two equal arms: 2 / 2¹¹; and 19.9 expected in the smaller arm is still exact, 20 is not.
    assert p((1000, 0), (1000, 11)) == pytest.approx(2 / 2**11)
    assert p((1000, 10), (9000, 189)) == pytest.approx(stats.binomtest(10, 199, 0.1).pvalue)
    chi2 = stats.chi2_contingency([[10, 990], [190, 8810]], correction=False).statistic * 9999 / 10_000
    assert p((1000, 10), (9000, 190)) == pytest.approx(stats.chi2.sf(chi2, 1))
    assert p((1000, 0), (1000, 0)) == 1.0


@pytest.mark.parametrize("small", [0.5, 0.1])
def test_equal_faults_are_found_as_often_as_chance(
    small: float, rate_error: Callable[[float, int], float], rng: np.random.Generator
) -> None:
    # Faults stick to users (Beta(0.2, 3.8): most have none), logs have heavy tails, and one arm has 30 % more events.
    runs, n, hits = 1500, 1500, np.zeros(2)
    for _ in range(runs):
        new = rng.random(n) < small
        events = 1 + rng.poisson(rng.lognormal(1, 1, n) * (1 + 0.3 * new))
        faulty = rng.binomial(events, rng.beta(0.2, 3.8, n))
        share = faulty / events
        arms = {
            name: Counted(
                int(at.sum()),
                int((faulty[at] > 0).sum()),
                faulty[at].sum(),
                events[at].sum(),
                share[at].sum(),
                (share[at] ** 2).sum(),
            )
            for name, at in (("a", new), ("b", ~new))
        }
        p = Tally(code="missing_events", column="x", handled="left_out", arms=arms).p_value
        hits += p < 0.05, p < 0.001
    assert abs(hits[0] / runs - 0.05) < rate_error(0.05, runs) and hits[1] / runs < 0.001 + rate_error(0.001, runs)


def test_values_missing_in_one_arm_block_and_in_both_are_said(rng: np.random.Generator) -> None:
    frame = log(rng)
    clean = read(frame)
    assert check(clean, "missing_values").status == "pass" and clean.decisions[0].code != "blocked"
    one = read(without(frame, rng, {"old": 0.0, "new": 0.15}))
    assert check(one, "missing_values").status == "fail" and one.decisions[0].code == "blocked"
    (row,) = [r for r in check(one, "missing_values").rows if r["code"] == "missing_events" and r["arm"] == "new"]
    assert row["share"] == pytest.approx(0.15, abs=0.02) and row["p_adjusted"] < 1e-9
    # Alike in both arms, events are left out; users without any value are over 1 %, which the plan has to settle.
    both = without(frame, rng, {"old": 0.15, "new": 0.15})
    assert check(read(both), "missing_values").status == "fail"
    assert "meaning_unsaid" in {each.code for each in check(read(both), "missing_values").facts.faults}
    for said in ("leave_out", "zero"):
        settled = read(both, plan(metrics=({"name": "clicks", "value": "clicks", "missing": said},)))
        assert check(settled, "missing_values").status == "warn" and settled.decisions[0].code != "blocked"
    planned = plan(metrics=({"name": "clicks", "value": "clicks", "missing": "zero"},))
    differ = check(read(without(frame, rng, {"old": 0.0, "new": 0.15}), planned), "missing_values")
    assert differ.status == "warn" and differ.facts.faults[0].code == "counted_as_zero"
    assert differ.facts.faults[0].uneven
    refused = plan(metrics=({"name": "clicks", "value": "clicks", "missing": "error"},))
    with pytest.raises(DataError, match=r"column 'clicks': .* events have no value"):
        gather_events(both, refused)


@pytest.mark.parametrize(("lost", "status"), [(4, "warn"), (5, "fail")])
def test_over_one_percent_of_units_without_a_value_block(lost: int, status: str) -> None:
    # 200 users in an arm and two events of each; 2 of 400 and 2 more are 1 %, one more is over it.
    frame = pl.DataFrame(
        {
            "user_id": np.repeat(np.arange(400), 2),
            "variant": np.tile(np.repeat(ARMS, 2), 200),
            "clicks": pl.Series([None] * 2 * lost + [1.0, 2.0] * (400 - lost), dtype=pl.Float64),
        }
    )
    found = gather_events(frame, plan(start=None, days=None), time=None)
    assert check(read_sums(plan(), found), "missing_values").status == status


ROWS = pl.DataFrame(
    {
        "user_id": [1, 1, 2, 3, 3, 4, 5],
        "home": [1, 1, 1, 2, 2, 3, 4],
        "variant": ["old"] * 5 + ["new"] * 2,
        "clicks": [1, None, None, 2, 3, 4, 6],
        "views": [2, 9, 5, None, 4, 8, 10],
    }
)


def test_units_without_any_value_are_left_out_of_the_mean_alone() -> None:
    # Users: 1 has one click, 2 no value, 3 five clicks. The mean is (1 + 5) ÷ 2, of complete rows (1 + 3) ÷ (2 + 4).
    metrics = (
        {"name": "clicks", "value": "clicks"},
        {"name": "ctr", "kind": "ratio", "value": "clicks", "per": "views", "role": "secondary"},
        {"name": "each", "kind": "ratio", "value": "clicks", "per": "events", "role": "secondary"},
        {"name": "views", "value": "views", "role": "secondary", "cap": 9.0},
    )
    bare = plan(metrics=metrics, start=None)
    found = gather_events(ROWS, bare, time=None)
    assert found.arm("old").n == 3
    metric_columns = metric_columns_of(bare.metrics, indicators=found.indicators)

    def both(sums: Aggregates, metric_columns: dict[str, Any]) -> dict[str, tuple[float, float]]:
        gaps = {
            name: compare_arms(sums.arm("old"), sums.arm("new"), columns.of) for name, columns in metric_columns.items()
        }
        return {name: (gap.control, gap.treatment) for name, gap in gaps.items()}

    expected = {"clicks": (3.0, 5.0), "ctr": (4 / 6, 10 / 18), "each": (6 / 3, 5.0), "views": (18 / 3, 17 / 2)}
    seen = both(found, metric_columns)
    assert all(seen[name] == pytest.approx(pair) for name, pair in expected.items()), seen
    homes = bare.model_copy(update={"cluster": "home"})
    grouped = gather_events(ROWS, homes, time=None)
    seen = both(grouped, metric_columns_of(bare.metrics, rows=grouped.rows, indicators=grouped.indicators))
    expected |= {"views": (20 / 3, 18 / 2)}  # a cap of 9 is on the sum of a home then
    assert all(seen[name] == pytest.approx(pair) for name, pair in expected.items() if name != "views"), seen
    zero = bare.model_copy(update={"metrics": tuple(m.model_copy(update={"missing": "zero"}) for m in bare.metrics)})
    found = gather_events(ROWS, zero, time=None)
    seen = both(found, metric_columns_of(zero.metrics, indicators=found.indicators))
    assert seen["clicks"] == pytest.approx((6 / 3, 5.0)) and seen["ctr"] == pytest.approx((6 / 20, 10 / 18))


def test_a_table_with_a_row_a_unit_knows_the_same_words() -> None:
    table = ROWS.unique("user_id", keep="first", maintain_order=True)  # clicks 1, None, 2 | 4, 6
    metric = {"name": "clicks", "value": "clicks", "covariates": ("views",)}
    with pytest.raises(DataError, match="column 'clicks': 1 units have no value"):
        gather(table, plan(metrics=(metric,)))
    for said, control in (("leave_out", 1.5), ("zero", 1.0)):
        asked = plan(metrics=(metric | {"missing": said},))
        found = gather(table, asked)
        columns = metric_columns_of(asked.metrics, indicators=found.indicators)["clicks"]
        assert compare_arms(found.arm("old"), found.arm("new"), columns.of).control == pytest.approx(control)
        assert found.tallies[0].arms["old"] == Counted(3, 1, 1.0, 3.0, 1.0, 1.0)
    left_out = plan(metrics=({"name": "clicks", "value": "clicks", "missing": "leave_out"},))
    parts = (
        gather(table[:2], left_out, unknown_arms="drop") if False else [gather(table[i::2], left_out) for i in (0, 1)]
    )
    assert (parts[0] + parts[1]).tallies[0].arms["old"].faulty == 1
    log_of = plan(metrics=({"name": "clicks", "value": "clicks"},), start=None)
    with pytest.raises(IncomparableError, match='missing = "leave_out"'):
        gather_events(ROWS, log_of, time=None) + gather_events(ROWS.drop_nulls(), log_of, time=None)


def test_what_missing_means_is_said_once_a_column_and_only_where_there_is_a_choice() -> None:
    with pytest.raises(UsageError, match="missing differs between 'a' and 'b', which both read 'x'"):
        plan(metrics=({"name": "a", "value": "x", "missing": "zero"}, {"name": "b", "value": "x"}))
    with pytest.raises(UsageError, match="a quantile, which has no such choice"):
        plan(metrics=({"name": "a", "value": "x", "kind": "quantile", "q": 0.5, "missing": "zero"},))


def test_rows_without_a_number_of_a_quantile_are_counted_by_arm(rng: np.random.Generator) -> None:
    frame = log(rng).with_columns(ms=pl.Series(rng.random(1)).first())
    late = {"name": "ms", "kind": "quantile", "value": "ms", "q": 0.9, "role": "secondary"}
    asked = plan(metrics=(plan().metrics[0].model_dump(), late))
    assert check(read(frame, asked), "missing_values").status == "pass"
    lost = (pl.col("variant") == "new") & (pl.Series(rng.random(frame.height)) < 0.1)
    for nothing in (None, float("nan"), float("inf")):
        odd = frame.with_columns(ms=pl.when(lost).then(pl.lit(nothing, pl.Float64)).otherwise("ms"))
        assert check(read(odd, asked), "missing_values").status == "fail"


def twice(frame: pl.DataFrame, rng: np.random.Generator, **share: float) -> pl.DataFrame:
    again = pl.Series(rng.random(frame.height)) < pl.col("variant").replace_strict(share, return_dtype=pl.Float64)
    return pl.concat([frame, frame.filter(again)]).sample(fraction=1.0, shuffle=True, seed=1)


def test_duplicates_in_one_arm_block_and_in_both_are_said(rng: np.random.Generator) -> None:
    frame = log(rng, users=1500)
    clean = read(frame)
    assert check(clean, "duplicates").status == "pass"
    one, both = twice(frame, rng, old=0.0, new=0.03), twice(frame, rng, old=0.03, new=0.03)
    found = read(one)
    assert check(found, "duplicates").status == "fail" and found.decisions[0].code == "blocked"
    (row,) = [r for r in check(found, "duplicates").rows if r["arm"] == "new"]
    new = frame.filter(variant="new").height
    assert (row["faulty_rows"], row["rows"]) == (one.height - frame.height, new)
    assert check(read(both), "duplicates").status == "warn"
    # Each counted once is the log as it was.
    mended = read(one, duplicates="drop")
    assert check(mended, "duplicates").status == "warn"
    assert means(mended) == pytest.approx(means(clean))


def test_an_event_id_tells_duplicates_that_differ_elsewhere(rng: np.random.Generator) -> None:
    frame = log(rng, users=1500).with_row_index("event").with_columns(received=pl.lit(0))
    one = twice(frame, rng, old=0.0, new=0.03).with_columns(received=pl.int_range(pl.len()))
    assert check(read(one), "duplicates").status == "pass"
    assert check(read(one, event_id="event"), "duplicates").status == "fail"
    mended = read(one, event_id="event", duplicates="drop")
    assert means(mended) == pytest.approx(means(read(frame)))
    # Numbers of requests that begin anew with each user, and events without one, are no duplicates.
    own = frame.with_columns(event=pl.int_range(pl.len()).over("user_id"))
    assert check(read(own, event_id="event"), "duplicates").status == "pass"
    homes = plan(cluster="home")
    of_home = own.with_columns(home=pl.col("user_id") // 4 * 2 + (pl.col("variant") == "new"))
    grouped = read_sums(homes, gather_events(of_home, homes, event_id="event"))
    assert check(grouped, "duplicates").status == "pass"
    bare = frame.with_columns(event=pl.lit(None, pl.Int64))
    assert check(read(bare, event_id="event"), "duplicates").status == "pass"
    kept = gather_events(bare, plan(), event_id="event", duplicates="drop")
    assert kept.arm("old").sum("clicks") == pytest.approx(frame.filter(variant="old")["clicks"].sum())


def test_rows_that_nothing_tells_apart_are_not_taken_for_duplicates(rng: np.random.Generator) -> None:
    daily = log(rng).with_columns(pl.col("timestamp").dt.date())
    assert check(read(daily), "duplicates").status == "skipped"
    with pytest.raises(UsageError, match=r"no time of a row tells .* by event_id="):
        gather_events(daily, plan(), duplicates="drop")
    with pytest.raises(UsageError, match="duplicates is 'once'"):
        gather_events(daily, plan(), duplicates="once")  # pyright: ignore[reportArgumentType]


def bots(frame: pl.DataFrame, n: int, arms: list[str], times: int = 200) -> pl.DataFrame:
    users = frame.filter(pl.col("variant").is_in(arms))["user_id"].unique(maintain_order=True)[:n]
    theirs = frame.filter(pl.col("user_id").is_in(users.implode()))
    return pl.concat(
        [frame, *(theirs.with_columns(pl.col("timestamp").dt.offset_by(f"{i}us")) for i in range(1, times))]
    )


def test_bots_in_one_arm_block(rng: np.random.Generator) -> None:
    frame = log(rng, users=1500)
    assert check(read(frame), "extreme_units").status == "pass"
    many = read(bots(frame, 14, ["new"]))
    assert check(many, "extreme_units").status == "fail"
    (row,) = [r for r in check(many, "extreme_units").rows if r["column"] == "events" and r["arm"] == "new"]
    events = frame.group_by("user_id").len()["len"]
    low, high = np.log(np.quantile(events, [0.25, 0.75], method="inverted_cdf"))
    assert row["limit"] == pytest.approx(np.exp(high + 3 * max(high - low, np.log(2))), rel=0.3)
    assert 10 <= row["faulty_units"] <= 14 and row["share"] > 0.5
    # Eight are not beyond chance by their number (2 / 2⁸), and carry the effect: without their excess it is gone.
    few = read(bots(frame, 8, ["new"]))
    assert check(few, "extreme_units").status == "warn" and check(few, "outliers").status == "fail"
    assert check(read(bots(frame, 30, ["old", "new"])), "extreme_units").status == "warn"


def test_a_log_ends_with_its_last_event(rng: np.random.Generator) -> None:
    # 28 days are planned, and nobody new comes in after day 20.
    frame = log(rng)
    found = read(frame)
    assert max(gather_events(frame[:-1], plan()).days) < "2026-01-26" and found.interim.information == 1
    assert check(found, "peeking").status == "pass" and check(found, "weeks").status == "pass"
    half = frame.filter(pl.col("timestamp") < pl.datetime(2026, 1, 21))
    assert read(half).interim.information == 16 / 28 and check(read(half), "peeking").status == "fail"
    assert check(read(half), "weeks").status == "warn"
    # The start counts although the first event comes a day later; parts of a log add up to the whole span.
    late = frame.filter(pl.col("timestamp") >= pl.datetime(2026, 1, 6))
    parts = [gather_events(late.filter(pl.col("user_id") % 2 == i), plan()) for i in (0, 1)]
    assert (parts[0] + parts[1]).ran == ("2026-01-05", "2026-02-01") and (parts[0] + parts[1]).length == 28
    assert gather_events(late, plan(start=None)).ran == ("2026-01-06", "2026-02-01")


def sessions(rng: np.random.Generator, users: int, *, by_user: bool) -> pl.DataFrame:
    user = np.repeat(np.arange(users), 1 + rng.poisson(2, users))
    arm = rng.integers(0, 2, users)[user] if by_user else rng.integers(0, 2, len(user))
    return pl.DataFrame(
        {
            "session_id": np.arange(len(user)),
            "user_id": user,
            "variant": ARMS[arm],
            "clicks": rng.poisson(rng.gamma(1, 2, users)[user]),
        }
    )


def test_units_finer_than_what_was_randomised_are_noticed(rng: np.random.Generator) -> None:
    asked = plan(unit="session_id", start=None, days=None)
    frame = sessions(rng, 300, by_user=True)
    for found in (gather(frame, asked), gather_events(frame, asked, time=None)):
        unit = check(read_sums(asked, found), "unit")
        assert unit.status == "fail" and unit.facts.worst.column == "user_id"
        many = frame.group_by("user_id").len().filter(pl.col("len") > 1)["len"].to_numpy()
        assert (unit.rows[0]["ids"], unit.rows[0]["in_one_arm"]) == (len(many), len(many))
        assert unit.rows[0]["expected"] == pytest.approx((2 * 0.5**many).sum())
        assert unit.rows[0]["p_value"] == pytest.approx(0.0, abs=1e-12)
    by_session = gather(sessions(rng, 300, by_user=False), asked)
    assert check(read_sums(asked, by_session), "unit").status == "pass"
    clustered = asked.model_copy(update={"cluster": "user_id"})
    whole = read_sums(clustered, gather_events(frame, clustered, time=None))
    assert not any(each.code == "unit" and each.status == "fail" for each in whole.trust_checks)


def test_units_randomised_one_by_one_are_seldom_taken_for_finer_ones(rng: np.random.Generator) -> None:
    asked = plan(unit="session_id", start=None, days=None, arms={"old": 0.8, "new": 0.2})
    p = []
    for _ in range(40):
        frame = sessions(rng, 60, by_user=False)
        arm = ARMS[(rng.random(frame.height) < 0.2).astype(int)]
        p.append(gather(frame.with_columns(variant=arm), asked).coarser[0].p_value)
    assert min(p) > 0.001 and sum(each < 0.05 for each in p) <= 7  # 2 expected of 40


def test_ten_ids_of_two_units_in_one_arm_each_happen_once_in_a_thousand_times() -> None:
    # Each of ten pairs falls into one arm of two by one half: all of them by 2^-10, nine or more by 11 times that.
    for apart, p in ((0, 1 / 1024), (1, 11 / 1024), (10, 1.0)):
        arm = [ARMS[pair % 2 if at == 0 or pair >= apart else 1 - pair % 2] for pair in range(10) for at in (0, 1)]
        frame = pl.DataFrame(
            {
                "session_id": range(20),
                "user_id": np.repeat(np.arange(10), 2),
                "variant": arm,
                "clicks": [float(at % 3) for at in range(20)],
            }
        )
        (found,) = gather(frame, plan(unit="session_id", start=None, days=None)).coarser
        assert (found.groups, found.one_arm, found.expected) == (10, 10 - apart, 5.0)
        assert found.p_value == pytest.approx(p)
