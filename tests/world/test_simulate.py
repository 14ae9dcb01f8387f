"""A run as a whole: reproducible, comparable, logged; and the laws of the world, seen from outside."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from reclens.errors import NameTakenError, UnknownNameError, UsageError, WorkspaceError
from reclens.world.arm import Arm
from reclens.world.cards import RunCard
from reclens.world.policy import Policy
from reclens.world.population import draw_world
from reclens.world.settings import WorldSettings, load_world_settings, preset
from reclens.world.simulation import simulate
from reclens.world.strategies import Consumed, Oracle, Popular, Random


def two_arms(world, **policy):
    policy = Policy(**policy)
    return [
        Arm(name="control", strategy=Popular(), policy=policy),
        Arm(name="treatment", strategy=Oracle(world), policy=policy),
    ]


def read(folder, what: str) -> pl.DataFrame:
    return pl.read_parquet(folder / what / "*.parquet")


def test_a_run_depends_on_the_seed_and_not_on_threads(tiny, tmp_path) -> None:
    one = simulate(tiny, two_arms(tiny, kind="softmax"), days=3, seed=4, threads=1, folder=tmp_path / "one")
    two = simulate(tiny, two_arms(tiny, kind="softmax"), days=3, seed=4, threads=2, folder=tmp_path / "two")
    assert read(one.folder, "impressions").equals(read(two.folder, "impressions"))
    assert one.users.equals(two.users)
    other = simulate(tiny, two_arms(tiny, kind="softmax"), days=3, seed=5)
    assert not other.users["clicks"].equals(one.users["clicks"])


def test_users_keep_their_luck_whatever_the_others_see(still) -> None:
    # Nothing is learned after the first day, so that a user's fate is her own.
    everybody = simulate(still, [Arm(name="all", strategy=Popular())], days=4, retrain=0, seed=3)
    mixed = simulate(still, two_arms(still), days=4, retrain=0, seed=3)
    own = (mixed.users["variant"] == "control").to_numpy()
    for what in ("visits", "lists", "clicks", "expected_clicks"):
        np.testing.assert_array_equal(mixed.users[what].to_numpy()[own], everybody.users[what].to_numpy()[own])
    assert 0.4 < own.mean() < 0.6


def test_the_log_has_the_table_of_the_schema_and_adds_up(tiny, tmp_path, misfits) -> None:
    run = simulate(tiny, two_arms(tiny, kind="epsilon", epsilon=0.3, k=5), days=5, folder=tmp_path / "log")
    log = read(run.folder, "impressions")
    assert log.columns == [
        "timestamp",
        "user_id",
        "item_id",
        "position",
        "clicked",
        "converted",
        "score",
        "propensity",
        "conditional_propensity",
        "model",
        "model_version",
        "variant",
        "surface",
        "request_id",
        "retriever",
        "latency_ms",
        "received_at",
        "feature.device",
        "feature.history",
        "feature.item_age",
        "feature.item_appeal",
        "examined",
        "expected",
    ]
    assert len(list((run.folder / "impressions").iterdir())) == 5
    assert log["position"].min() == 1 and log["position"].max() == 5
    requests = log.group_by("request_id").agg(
        pl.col("position").sort().alias("positions"),
        pl.col("item_id").n_unique().alias("items"),
        pl.len(),
        pl.col("clicked").sum(),
        pl.col("user_id").n_unique().alias("users"),
    )
    assert requests["positions"].to_list() == [list(range(1, n + 1)) for n in requests["len"]]
    assert (requests["items"] == requests["len"]).all(), "an item stands once in a list"
    assert (requests["clicked"] <= 1).all() and (requests["users"] == 1).all()
    assert log["clicked"].sum() == run.users["clicks"].sum() == run.days["clicks"].sum() > 0
    assert log.height == run.users["impressions"].sum() == run.exposures.sum()
    assert log["expected"].sum() == pytest.approx(run.users["expected_clicks"].sum(), rel=1e-4)
    days = read(run.folder, "user_days")
    assert days["clicks"].sum() == log["clicked"].sum() and days["lists"].sum() == requests.height
    assert dict(log.group_by("variant").agg(pl.col("model").first()).rows()) == {
        "control": "popular",
        "treatment": "oracle",
    }
    consumed = read(run.folder, "interactions")
    assert (consumed["origin"] == "recommended").sum() == log["clicked"].sum()
    card = json.loads((run.folder / "card.json").read_text())
    assert misfits(run.card, RunCard) == misfits(card, RunCard) == set()
    assert card["seed"] == 0 and card["world"]["settings"]["items"] == 120
    rows = {row["variant"]: row for row in run.to_dicts()}
    assert rows["treatment"]["clicks_per_list"] > rows["control"]["clicks_per_list"]


def test_clicks_are_as_many_as_expected(still) -> None:
    run = simulate(still, two_arms(still), days=28, seed=1)
    clicks, expected = run.users["clicks"].sum(), run.users["expected_clicks"].sum()
    assert abs(clicks - expected) < 4 * np.sqrt(expected)


def test_nothing_consumed_is_shown_again_and_no_item_before_it_is_there(tiny, tmp_path) -> None:
    run = simulate(tiny, two_arms(tiny, k=5), days=10, folder=tmp_path / "log")
    log = read(run.folder, "impressions")
    clicks = log.filter(pl.col("clicked") == 1).select("user_id", "item_id", first="timestamp")
    again = log.join(clicks, on=["user_id", "item_id"]).filter(pl.col("timestamp") > pl.col("first"))
    assert again.height == 0
    history = pl.read_parquet(run.folder / "history.parquet").select("user_id", "item_id")
    assert log.join(history, on=["user_id", "item_id"], how="semi").height == 0
    start = tiny.settings.start
    days = log.join(tiny.items, on="item_id").select(
        (pl.col("timestamp").dt.date() - start).dt.total_days() - pl.col("born")
    )
    assert days.to_series().min() >= 0


def test_a_logged_policy_tells_the_value_of_another(still, tmp_path) -> None:
    # Lists of one item: the clicks of the greedy list, by inverse propensities from lists that were drawn.
    arms = [Arm(name="a", strategy=Popular(), policy=Policy(kind="softmax", k=1, pool=4, leave_out=False))]
    logged = simulate(still, arms, days=28, retrain=0, seed=8, folder=tmp_path / "log")
    log = read(logged.folder, "impressions")
    greedy = [Arm(name="a", strategy=Popular(), policy=Policy(k=1, pool=4, leave_out=False))]
    shown = simulate(still, greedy, days=28, retrain=0, seed=9, folder=tmp_path / "truth")
    truth = read(shown.folder, "impressions")
    best = truth.group_by("user_id").agg(pl.col("item_id").first().alias("best"))
    rows = log.join(best, on="user_id").with_columns(
        weight=(pl.col("item_id") == pl.col("best")) / pl.col("propensity")
    )
    values = (rows["weight"] * rows["clicked"]).to_numpy()
    error = np.hypot(values.std() / np.sqrt(len(values)), truth["clicked"].std() / np.sqrt(truth.height))
    assert abs(values.mean() - truth["clicked"].mean()) < 4 * error
    assert abs(rows["weight"].mean() - 1) < 4 * rows["weight"].std() / np.sqrt(rows.height)
    assert abs(log["clicked"].mean() - truth["clicked"].mean()) > 2 * error, "the policies differ, or nothing is shown"


def test_satiation_halves_in_the_days_of_recovery() -> None:
    from reclens.world._kernels import _arrive

    bored, taste = np.array([4.0, 1.0], np.float32), np.ones(2, np.float32)
    world = draw_world(preset("tiny", recovery=3.0, wander=0.0))
    trait, mood = np.array([50, 0, 0, 1, 0], np.float32), np.array([0.1, 2.0, -1], np.float32)
    assert _arrive(5.0, np.uint64(1), world.knobs(5), trait, mood, taste, bored)
    np.testing.assert_allclose(bored, [2.0, 0.5], rtol=1e-6)
    assert mood[1] == 5


def test_tastes_move_towards_what_is_consumed_and_keep_their_length() -> None:
    world = draw_world(preset("tiny", drift=0.1, wander=0.0, organic=0.0, new_share=0.0, click_rate=0.5))
    run = simulate(world, [Arm(name="a", strategy=Random())], days=10)
    norms = np.linalg.norm(run.tastes, axis=1)
    np.testing.assert_allclose(norms, np.linalg.norm(world.tastes, axis=1), rtol=1e-4)
    clicked = run.users["clicks"].to_numpy() > 0
    np.testing.assert_array_equal(run.tastes[~clicked], world.tastes[~clicked])
    assert not np.allclose(run.tastes[clicked], world.tastes[clicked])
    # Whoever consumed exactly one thing stands nearer to it than before.
    once = np.flatnonzero(run.users["clicks"].to_numpy() == 1)
    assert len(once) > 10
    move = run.tastes[once] - world.tastes[once]
    assert (np.einsum("ud,ud->u", move, world.tastes[once]) < 0).all(), "a turn shortens the part along the old taste"


def test_wandering_grows_with_time() -> None:
    world = draw_world(preset("tiny", drift=0.0, wander=0.05, new_share=0.0, light_visits=0.95, heavy_visits=0.95))
    arms = [Arm(name="a", strategy=Popular())]
    turned = []
    for days in (3, 27):
        run = simulate(world, arms, days=days)
        cosine = np.einsum("ud,ud->u", run.tastes, world.tastes) / np.linalg.norm(world.tastes, axis=1) ** 2
        turned.append(float(np.arccos(np.clip(cosine, -1, 1)).mean()))
    assert 1.5 < turned[1] / turned[0] < 5, "nine times the days turn a taste about three times as far"


def test_recommending_what_is_popular_makes_it_more_so() -> None:
    world = draw_world(preset("tiny", births=0.0, click_rate=0.5), seed=3)

    def consumed(strategy):
        run = simulate(
            world, [Arm(name="a", strategy=strategy, policy=Policy(k=10, leave_out=False))], days=21, retrain=1
        )
        return run.to_dicts()[0]["exposure_gini"]

    assert consumed(Popular()) > consumed(Oracle(world)) > consumed(Random())


def test_novelty_fades_and_primacy_grows_away() -> None:
    base = {
        "new_share": 0.0,
        "click_rate": 0.2,
        "satiation": 0.0,
        "repeat_cost": 0.0,
        "births": 0.0,
        "return_effect": 0.0,
    }
    for change, sign in (({"novelty": 1.0}, 1), ({"primacy": 1.0}, -1)):
        world = draw_world(preset("tiny", **base, **change))
        arms = {
            old: simulate(world, [Arm(name="a", strategy=Popular(), changed=new)], days=28, retrain=0)
            for old, new in (("old", False), ("new", True))
        }
        rates = {name: run.days["expected_clicks"] / run.days["lists"] for name, run in arms.items()}
        early = float(rates["new"][:3].mean() - rates["old"][:3].mean())
        late = float(rates["new"][-7:].mean() - rates["old"][-7:].mean())
        assert sign * early > 0.02 and abs(late) < abs(early) / 3


def test_weekends_and_satisfaction_bring_users_back() -> None:
    world = draw_world(preset("small", weekday=(0, 0, 0, 0, 0, 1.0, 1.0), new_share=0.0, return_effect=0.0))
    run = simulate(world, [Arm(name="a", strategy=Random())], days=14, retrain=0)
    visits = run.days["visits"].to_numpy().reshape(2, 7).mean(axis=0)
    assert visits[5:].min() > 1.3 * visits[:5].max()
    eager = draw_world(preset("small", return_effect=8.0, new_share=0.0))
    good = simulate(eager, [Arm(name="a", strategy=Oracle(eager))], days=14)
    bad = simulate(eager, [Arm(name="a", strategy=Random())], days=14)
    assert good.users["visits"].sum() > 1.1 * bad.users["visits"].sum()


def test_new_users_come_later_and_have_no_history(tiny) -> None:
    run = simulate(tiny, [Arm(name="a", strategy=Popular())], days=1)
    new = (tiny.users["cohort"] == "new").to_numpy()
    assert new.sum() > 10 and run.users["visits"].to_numpy()[new].sum() == 0
    assert not np.isin(tiny.history[0], np.flatnonzero(new)).any()
    heavy = (tiny.users["cohort"] == "heavy").to_numpy()
    counts = np.bincount(tiny.history[0], minlength=300)
    assert counts[heavy].mean() > 2 * counts[(tiny.users["cohort"] == "light").to_numpy()].mean()


@pytest.mark.parametrize("training", ["shared", "diverted", "separate"])
def test_strategies_learn_from_what_their_design_lets_them(tiny, training) -> None:
    seen = {}

    class Spy(Popular):
        def fit(self, consumed, /) -> None:
            seen.setdefault(self.name, []).append(consumed)
            super().fit(consumed)

    arms = [Arm(name="a", strategy=Spy(name="a")), Arm(name="b", strategy=Spy(name="b"))]
    run = simulate(tiny, arms, days=8, retrain=4, training=training)
    arm = (run.users["variant"] == "b").to_numpy().astype(int)
    for at, name in enumerate("ab"):
        first, second = seen[name]
        assert (first.days < 0).all() and (second.days < second.day).all() and second.day == 4
        after, before = second.users[second.days >= 0], second.users[second.days < 0]
        others_after, others_before = (arm[after] != at).any(), (arm[before] != at).any()
        assert others_after == (training == "shared")
        assert others_before == (training != "separate")


def test_clusters_stay_whole(tiny) -> None:
    from reclens.world.assignment import assign_arms, taste_clusters

    arms = assign_arms(tiny, [1, 1], clusters=10, seed=6)
    labels = taste_clusters(tiny, 10, seed=6)
    assert all(len(set(arms[labels == label])) == 1 for label in set(labels.tolist()))
    assert set(arms.tolist()) == {0, 1}
    mean = [tiny.tastes[labels == label] for label in range(10)]
    inside = np.mean([np.mean(np.var(part, axis=0)) for part in mean if len(part) > 5])
    assert inside < 0.8 * np.var(tiny.tastes, axis=0).mean()
    with pytest.raises(UsageError, match="at least one for each"):
        assign_arms(tiny, [1, 1, 1], clusters=2)


def test_a_run_that_is_stopped_leaves_nothing(tiny, tmp_path) -> None:
    def stop(what, done, total, /) -> None:
        if what == "simulate" and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(tiny, two_arms(tiny), days=4, folder=tmp_path / "log", progress=stop)
    assert not list(tmp_path.iterdir())
    (tmp_path / "log").mkdir()
    with pytest.raises(WorkspaceError, match="exists"):
        simulate(tiny, two_arms(tiny), days=4, folder=tmp_path / "log")


def test_of_two_runs_into_one_folder_the_second_is_told(tiny, tmp_path) -> None:
    told: list[bool] = []

    def second(what, done, total, /) -> None:
        if what == "simulate" and not told:
            told.append(True)
            with pytest.raises(NameTakenError, match="being written by another process"):
                simulate(tiny, two_arms(tiny), days=1, folder=tmp_path / "log")

    simulate(tiny, two_arms(tiny), days=2, folder=tmp_path / "log", progress=second)
    assert told and [each.name for each in tmp_path.iterdir()] == ["log"]
    assert len(list((tmp_path / "log" / "impressions").iterdir())) == 2


def test_wrong_use_says_so(tiny) -> None:
    one = Arm(name="a", strategy=Popular())
    with pytest.raises(UsageError, match="names that differ"):
        simulate(tiny, [one, one])
    with pytest.raises(UsageError, match="days is 0"):
        simulate(tiny, [one], days=0)
    with pytest.raises(UsageError, match="training is 'mixed'"):
        simulate(tiny, [one], training="mixed")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="shares"):
        simulate(tiny, [Arm(name="a", strategy=Popular(), share=0)])
    with pytest.raises(UsageError, match="an arm 0 … 0"):
        simulate(tiny, [one], assignment=np.zeros(3))


def test_a_strategy_that_recommends_what_is_not_there_says_so(tiny) -> None:
    class Wrong(Popular):
        def recommend(self, users, k, /):
            return super().recommend(users, k) + self.shift

    class Short(Popular):
        def recommend(self, users, k, /):
            return super().recommend(users[:1], k)

    strategy = Wrong()
    strategy.shift = 1_000
    with pytest.raises(UsageError, match="expected 0 … 119"):
        simulate(tiny, [Arm(name="a", strategy=strategy)], days=1)
    with pytest.raises(UsageError, match="one row of item codes a user"):
        simulate(tiny, [Arm(name="a", strategy=Short())], days=1)


def test_settings_say_what_is_wrong(tmp_path) -> None:
    with pytest.raises(UsageError, match="click_rate is 2"):
        WorldSettings(click_rate=2)
    with pytest.raises(UsageError, match="together they are more than 1"):
        WorldSettings(new_share=0.7, heavy_share=0.6)
    with pytest.raises(UsageError, match="a bit an item"):
        WorldSettings(users=10_000_000, items=100_000)
    with pytest.raises(UnknownNameError, match="tiny"):
        preset("tny")
    file = tmp_path / "world.toml"
    file.write_text('size = "tiny"\nclick_rat = 0.2\n')
    with pytest.raises(UsageError, match="click_rate"):
        load_world_settings(file)
    file.write_text('size = "tiny"\nclick_rate = 0.2\nstart = 2026-02-02\n')
    assert load_world_settings(file) == preset("tiny", click_rate=0.2, start="2026-02-02")


def test_a_day_of_the_log_ends_at_midnight(tmp_path) -> None:
    # Sixty-four lists a visit at most, and nearly always another one: a minute each must not run into the next day.
    world = draw_world(preset("tiny", most_lists=64, more=0.97), seed=1)
    run = simulate(world, [Arm(name="all", strategy=Popular())], days=3, folder=tmp_path / "log")
    files = sorted((run.folder / "impressions").iterdir())
    assert len(files) == 3
    for file in files:
        frame = pl.read_parquet(file)
        assert frame["timestamp"].dt.date().cast(pl.String).unique().to_list() == [file.stem]
        longest = frame.group_by("user_id").agg((pl.col("timestamp").max() - pl.col("timestamp").min()).alias("t"))["t"]
        assert longest.max().total_seconds() > 50 * 60  # long visits are there


@pytest.mark.parametrize("kind", ["greedy", "epsilon", "softmax"])
def test_logged_propensities_of_items_and_of_lists(still, tmp_path, kind) -> None:
    """Marginal ones add up over what can stand at a place; conditional ones multiply to the chance of the list."""
    from reclens.experiment.off_policy import Target, evaluate_policy, read_decisions
    from reclens.experiment.off_policy.slate import prefix_chances

    policy = Policy(kind=kind, k=3, pool=6, epsilon=0.5, sharpness=1.2, leave_out=False)
    run = simulate(still, [Arm(name="a", strategy=Popular(), policy=policy)], days=6, retrain=0, folder=tmp_path / kind)
    log = read(run.folder, "impressions")
    decisions = read_decisions(log, items=still.items["item_id"])
    users, items, days = still.history
    popular = Popular()
    popular.fit(
        Consumed(users=users, items=items, days=days, n_users=still.users.height, n_items=still.items.height, day=0)
    )
    ranking = popular.recommend(np.arange(still.users.height), 6)
    known = {user: at for at, user in enumerate(still.users["user_id"])}
    rows = np.array([known[user] for user in log["user_id"]])
    np.testing.assert_allclose(
        decisions.propensities, Target.of_lists(decisions, ranking, policy, rows=rows).logged(decisions), rtol=1e-5
    )
    whole = log.group_by("request_id", maintain_order=True).agg(pl.col("conditional_propensity").product())
    chances = prefix_chances(decisions, ranking, policy, rows=rows)[decisions.places == 2]
    np.testing.assert_allclose(whole["conditional_propensity"].to_numpy(), chances, rtol=1e-5)
    if kind == "greedy":
        return
    # Another policy is weighed right: the mean weight is 1, which it was not with conditional propensities.
    target = Target.of_lists(decisions, ranking[:, ::-1], policy, rows=rows)
    found = evaluate_policy(decisions, target, estimators=["snips"])
    assert abs(found.weights.mean - 1) < 4 * found.weights.mean_se and not found.objections
    if kind == "softmax":
        wrong = target.logged(decisions) / log["conditional_propensity"].to_numpy()
        assert abs(wrong.mean() - 1) > 3 * found.weights.mean_se
