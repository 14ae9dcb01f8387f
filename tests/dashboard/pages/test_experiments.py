"""Results, plans, assignments and the calculator say what the library says; choices stand in the URL."""

from __future__ import annotations

import html
import io
import shutil
import tomllib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from reclens.data.origin import MADE_UP
from reclens.experiment import read_aggregated
from reclens.experiment.analysis.readout import read_experiment
from reclens.experiment.assignment.checks import check_assignment
from reclens.experiment.planning.calculator import calculate
from reclens.experiment.planning.plan import load_plan
from reclens.report.experiment.decision_words import summary_of_readout
from reclens.report.experiment.design_words import calculation_text
from reclens.report.experiment.method_words import adjustment_text
from reclens.report.experiment.readout_tables import effect_table
from reclens.workspace import Workspace


def words(app) -> str:
    shown = [*app.markdown, *app.caption, *app.text, *app.success, *app.warning, *app.error, *app.info, *app.subheader]
    cards = [html.unescape(each.proto.body) for each in app.get("html")]
    return "\n".join([*cards, *(str(each.value) for each in shown)]).replace("\\", "")


def test_a_size_with_its_formula_neighbours_price_and_curves(open_page) -> None:
    app = open_page("experiments", view="Calculator", mean="0.2", effect="0.25", daily="500")
    assert (
        "2,188 units over all arms (1,094 in control, 1,094 in treatment) in 5 days find an effect of +25.00%"
        in words(app)
    )
    neighbours, price = (each.value for each in app.dataframe)
    assert list(neighbours["units"]) == ["2,188", "2,575", "2,182", "2,061", "2,184"]
    assert price.loc[price["plan"] == "peeking without a plan", "false positives"].item() == "12.6%"
    assert len(app.get("vega_lite_chart")) == 2 and "Fleiss" in words(app)


def test_a_link_reproduces_the_question(open_page) -> None:
    asked = {
        "view": "Calculator",
        "ask": "Which effect?",
        "kind": "mean",
        "mean": "4.2",
        "sd": "6.3",
        "n": "50000",
        "r2": "0.4",
        "arms": "3",
        "looks": "4",
        "spending": "pocock",
    }
    app = open_page("experiments", **asked)
    expected = calculate(kind="mean", mean=4.2, sd=6.3, n=50_000, r2=0.4, arms=3, looks=4, spending="pocock")
    assert calculation_text(expected) in words(app)
    assert all(adjustment_text(each) in words(app) for each in expected.answer.adjustments)
    assert len(expected.answer.adjustments) == 4


def test_power_and_margins_are_asked_too(open_page) -> None:
    app = open_page("experiments", view="Calculator", ask="How likely?", mean="0.2", effect="0.25", n="2188")
    assert "with a power of 80.0%" in words(app)
    guard = open_page("experiments", view="Calculator", mean="0.45", margin="0.03", effect="0")
    assert "41,368 units" in words(guard) and "no more than 3.00% is lost" in words(guard)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"mean": "1.5"}, "“In control” is 1.5, expected a share between 0 and 1"),
        ({"effect": "0"}, "“Relative effect” is 0, expected more than 0"),
        ({"effect": "9"}, "a share that stays between 0 and 1"),
        ({"kind": "gini"}, "there is no 'gini' here. Known: "),
    ],
)
def test_what_cannot_be_asked_is_said(open_page, query, says) -> None:
    app = open_page("experiments", view="Calculator", **query)
    assert says in words(app) + "\n".join(each.value for each in app.warning).replace("\\", "")


def test_the_plan_to_go_on_from_is_a_plan() -> None:
    found = calculate(kind="ratio", mean=0.1, sd=0.2, effect=0.05, arms=3, looks=4, daily=1000)
    plan = load_plan(tomllib.loads(found.plan.to_toml()))
    assert plan == found.plan and list(plan.arms) == ["control", "treatment 1", "treatment 2"]
    assert plan.sequential is not None and plan.sequential.looks == 4
    guard = calculate(mean=0.45, margin=0.03)
    assert guard.plan.guardrails[0].margin == 0.03 and load_plan(tomllib.loads(guard.plan.to_toml())) == guard.plan


PLAN = b"""name = "gate"
control = "old"
[arms]
old = 0.5
new = 0.5
[[metrics]]
name = "kept"
kind = "proportion"
value = "kept"
"""
COUNTS = b"version;n;kept_successes\nold;44700;8502\nnew;45489;8279\n"


def bring(open_page, folder: Path, form: str, results: bytes, *, plan: bytes | None = PLAN, **query: str):
    """The place of results, with a plan and a file brought."""
    app = open_page("experiments", folder=folder, readout="Bring results …", rows=form, **query)
    if plan is not None:
        app.file_uploader(key="file-plan").set_value(("plan.toml", plan, "application/octet-stream"))
    app.file_uploader(key="file-results").set_value(("results.csv", results, "application/octet-stream"))
    app.run()
    assert not app.exception, app.exception
    return app


def test_counts_of_arms_are_read_as_python_reads_them_and_kept(open_page, tmp_path: Path) -> None:
    """Cookie Cats' retention after 7 days: 19.02 % of 44,700 against 18.20 % of 45,489, p = .0016."""
    app = bring(open_page, tmp_path, "A row an arm", COUNTS, part="Details")
    arm = next(each for each in app.selectbox if each.label == "Arm")
    assert arm.value == "version", "the column that holds the arms of the plan"
    rows = {"variant": ["old", "new"], "n": [44_700, 45_489], "kept_successes": [8_502, 8_279]}
    found = read_aggregated(load_plan(tomllib.loads(PLAN.decode())), pl.DataFrame(rows))
    assert found.effects[0].p_value == pytest.approx(0.0016, abs=5e-5)
    (effects,) = (each.value.to_dict("records") for each in app.dataframe)
    assert effects == [dict(zip(effect_table(found).columns, row, strict=True)) for row in effect_table(found).rows]
    assert (effects[0]["old"], effects[0]["treated"], effects[0]["difference"][:8]) == ("19.02%", "18.20%", "-0.82 pp")
    assert "decision" not in effects[0], "the decision is on an arm, not on a metric"
    assert "<h2>No winner. Do not ship new: it harms kept.</h2>" in words(app)
    app.text_input(key="keep-readout-name").set_value("cats").run()
    app.button(key="keep-readout").click().run()
    kept = Workspace(tmp_path).load("readout", "cats")
    assert repr(kept.effects) == repr(found.effects) and app.selectbox(key="readout").value == "cats"
    again = bring(open_page, tmp_path, "A row an arm", COUNTS)
    again.text_input(key="keep-readout-name").set_value("cats").run()
    again.button(key="keep-readout").click().run()
    assert "There is a readout “cats”: choose another name." in words(again)


def test_columns_are_chosen_and_faults_are_said_beside_their_field(open_page, tmp_path: Path) -> None:
    app = bring(open_page, tmp_path, "A row an arm", COUNTS.replace(b";n;", b";users;"))
    assert "'n'" in words(app)
    next(each for each in app.selectbox if each.label == "n").set_value("users").run()
    assert "<h2>No winner. Do not ship new: it harms kept.</h2>" in words(app)
    for plan, counts, says in (
        (b"name =", COUNTS, "plan.toml: it is no TOML"),
        (PLAN.replace(b"0.5", b"0.7"), COUNTS, "shares lie between 0 and 1 and add up to 1"),
        (PLAN, b"\x80\x04pickle", "results.csv"),
        (PLAN, COUNTS.replace(b"8502", b"84502"), "84,502 successes of 44,700 units"),
        (PLAN, COUNTS.replace(b"8502", b"many"), "many"),
        (PLAN, COUNTS + b"other;10;2\n", "“Leave out other arms”"),
    ):
        app.file_uploader(key="file-plan").set_value(("plan.toml", plan, "application/toml"))
        app.file_uploader(key="file-results").set_value(("results.csv", counts, "text/csv")).run()
        assert says in words(app) and not app.exception, says


def units(n: int = 1200, *, share: float = 0.5) -> bytes:
    """A CSV of units that came in over two weeks, with a lift of clicks in one segment."""
    rng = np.random.default_rng(3)
    new, heavy = rng.random(n) < share, rng.random(n) < 0.5
    day = np.datetime64("2026-01-05") + rng.integers(0, 14, n).astype("timedelta64[D]")
    frame = pl.DataFrame(
        {
            "user": np.arange(n),
            "variant": np.where(new, "new", "old"),
            "clicks": rng.poisson(3 + 1.5 * new * heavy),
            "kept": rng.integers(0, 2, n),
            "group": np.where(heavy, "heavy", "light"),
            "first_day": day,
        }
    )
    return frame.write_csv().encode()


UNITS_PLAN = b"""name = "carousel"
unit = "user"
days = 28
segments = ["group"]
[arms]
old = 0.5
new = 0.5
[sequential]
looks = 4
[[metrics]]
name = "clicks per user"
value = "clicks"
effect = 0.1
baseline = { mean = 3.0, sd = 1.8 }
[[metrics]]
name = "kept"
kind = "proportion"
value = "kept"
role = "guardrail"
margin = 0.2
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a plan and one readout of it."""
    folder = tmp_path_factory.mktemp("experiments")
    place, plan = Workspace(folder), load_plan(tomllib.loads(UNITS_PLAN.decode()))
    frame = pl.read_csv(units(), try_parse_dates=True)
    place.save(plan, "carousel")
    place.save(read_experiment(plan, frame, day="first_day"), "week-2")
    return folder


@pytest.mark.parametrize(
    ("query", "charts", "says"),
    [
        ({}, 2, "at 50% of the sample"),
        ({"lens": "Probability"}, 1, "flat prior"),
        ({"part": "Over time"}, 1, "lift as units came in"),
        ({"part": "Over time", "way": "Daily"}, 1, "clicks per user of each arm by day"),
        ({"part": "Segments"}, 1, "Cochran's Q"),
        ({"part": "Health"}, 1, "Sample ratio holds"),
        ({"part": "Details"}, 0, "Next steps"),
        ({"view": "Plans"}, 1, "An effect of 10.00% is found"),
    ],
)
def test_each_view_of_what_was_kept(open_page, kept: Path, query, charts: int, says: str) -> None:
    app = open_page("experiments", folder=kept, **query)
    assert len(app.get("vega_lite_chart")) == charts and says in words(app).replace("*", ""), words(app)
    assert not app.error


def test_from_a_plan_to_its_readouts(open_page, kept: Path) -> None:
    app = open_page("experiments", folder=kept, view="Plans")
    readouts = app.dataframe[0].value.to_dict("records")
    assert [(row["readout"], row["units"], row["decision"]) for row in readouts] == [("week-2", "1,200", "new: ship")]
    next(each for each in app.button if "Open" in each.label).click().run()
    assert app.selectbox(key="readout").value == "week-2" and "Ship new" in words(app)


def test_a_plan_stands_where_one_of_its_readouts_cannot_be_read(open_page, kept: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(kept, tmp_path / "workspace"))
    (folder / "readout" / "week-2" / "readout.json").write_text("{}")
    app = open_page("experiments", folder=folder, view="Plans")
    assert any("week-2" in each.value.replace("\\", "") for each in app.warning)
    assert app.get("vega_lite_chart") and any("decides" in each.value for each in app.markdown)


@pytest.mark.parametrize("form", ["A row a unit", "A row an event"])
def test_units_and_events_are_read_with_mapped_columns(open_page, kept: Path, form: str) -> None:
    brought = units().replace(b"first_day", b"timestamp") if form == "A row an event" else units()
    app = open_page("experiments", folder=kept, readout="Bring results …", rows=form)
    app.file_uploader(key="file-results").set_value(("u.csv", brought.replace(b"clicks", b"taps"), "text/csv")).run()
    assert "Choose the column of “clicks”: clicks per user reads it." in words(app)
    next(each for each in app.selectbox if each.label == "clicks").set_value("taps").run()
    assert not app.exception and not app.error, words(app)
    assert "Ship new" in words(app)
    frame = pl.read_csv(brought, try_parse_dates=True)
    plan = load_plan(tomllib.loads(UNITS_PLAN.decode()))
    how = {"day": "first_day"} if form == "A row a unit" else {"events": True}
    found = read_experiment(plan, frame, **how)
    assert summary_of_readout(found)[0] in words(app)


@pytest.mark.parametrize("synthetic", [True, False])
def test_results_that_say_that_they_are_synthetic_have_the_banner(open_page, kept: Path, synthetic: bool) -> None:
    file = io.BytesIO()
    pl.read_csv(units(400), try_parse_dates=True).write_parquet(file, metadata=MADE_UP if synthetic else None)
    app = open_page("experiments", folder=kept, readout="Bring results …", rows="A row a unit")
    app.file_uploader(key="file-results").set_value(("u.parquet", file.getvalue(), "application/octet-stream")).run()
    assert not app.error and ("Synthetic data." in words(app)) is synthetic


def test_two_arms_are_left_out_where_the_page_says_so(open_page, kept: Path) -> None:
    twice = units() + b"5,new,3,1,heavy,2026-01-06\n5,old,3,1,heavy,2026-01-06\n"
    app = open_page("experiments", folder=kept, readout="Bring results …", rows="A row an event")
    log = twice.replace(b"first_day", b"timestamp")
    app.file_uploader(key="file-results").set_value(("u.csv", log, "text/csv")).run()
    assert "“Leave out units in two arms”" in words(app)
    app.checkbox(key="drop-two").check().run()
    assert not app.error and "Ship new" in words(app)


def test_looks_that_were_not_as_planned_are_said(open_page, kept: Path) -> None:
    app = open_page("experiments", folder=kept, readout="Bring results …", part="Details")
    app.file_uploader(key="file-results").set_value(("u.csv", units(), "text/csv")).run()
    app.text_input(key="looks-taken").set_value("10; 30 %").run()
    plan, frame = load_plan(tomllib.loads(UNITS_PLAN.decode())), pl.read_csv(units(), try_parse_dates=True)
    expected = effect_table(read_experiment(plan, frame, day="first_day", looks_taken=(0.1, 0.3)))
    assert expected.rows != effect_table(read_experiment(plan, frame, day="first_day")).rows
    shown = app.dataframe[-1].value
    assert [tuple(row) for row in shown.itertuples(index=False)] == list(expected.rows)
    for text, said in (("soon", "expected percents of the planned sample"), ("60", "the looks taken are 0.6")):
        app.text_input(key="looks-taken").set_value(text).run()
        assert said in words(app) and not app.exception, words(app)


def test_an_assignment_is_checked_by_its_plan(open_page, kept: Path) -> None:
    ids = b"user,country\n" + b"".join(b"%d,%s\n" % (at, [b"de", b"at"][at % 2]) for at in range(4000))
    app = open_page("experiments", folder=kept, view="Assignment")
    app.file_uploader(key="file-units").set_value(("ids.csv", ids, "text/csv")).run()
    next(each for each in app.multiselect if each.label == "Alike in all arms").set_value(["country"]).run()
    plan = load_plan(tomllib.loads(UNITS_PLAN.decode()))
    frame = pl.read_csv(ids)
    expected = check_assignment(frame["user"], plan, attributes=frame.select("country"))
    assert list(app.dataframe[0].value["chi²"]) == [f"{each.statistic:.1f}" for each in expected]
    assert "The assignment is as planned." in words(app) and len(expected) == 3
    app.file_uploader(key="file-units").set_value(("ids.csv", ids + b"7,de\n", "text/csv")).run()
    assert "an id is repeated" in words(app)


def test_a_plan_of_the_calculator_is_kept(open_page, tmp_path: Path) -> None:
    app = open_page("experiments", folder=tmp_path, view="Calculator", mean="0.2", effect="0.25")
    app.text_input(key="keep-plan-name").set_value("no/name").run()
    app.button(key="keep-plan").click().run()
    assert "'no/name' is no name" in words(app)
    app.text_input(key="keep-plan-name").set_value("small").run()
    app.button(key="keep-plan").click().run()
    assert Workspace(tmp_path).load("plan", "small") == calculate(kind="proportion", mean=0.2, effect=0.25).plan


def test_nothing_there_leads_on(open_page, tmp_path: Path) -> None:
    assert "Bring the plan and the results" in words(open_page("experiments", folder=tmp_path))
    assert "No plan is chosen" in words(open_page("experiments", folder=tmp_path, view="Plans"))


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("experiments", {"part": "Segments"}),
        ("diagnostics", {"view": "Segments"}),
        ("compare", {}),
    ],
)
def test_a_view_is_saved_as_a_report_with_its_choices(
    open_page, workspace: Workspace, kept: Path, page: str, query
) -> None:
    folder = kept if page == "experiments" else workspace.folder
    app = open_page(page, folder=folder, **query)
    name = f"saved-{page}"
    app.text_input(key="save-name").set_value(name).run()
    app.button(key="save-keep").click().run()
    text = (folder / "reports" / f"{name}.html").read_text(encoding="utf-8")
    charts = app.get("vega_lite_chart")
    assert text.count("<figure") == len(charts) > 0 and "What was chosen" in text
    seen = app.session_state["_seen"]
    assert seen.choices and all(html.escape(value) in text for value in seen.choices.values())
    (folder / "reports" / f"{name}.html").unlink()
