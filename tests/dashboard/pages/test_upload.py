"""Files go in, the numbers of the library come out, are kept under a name, and can be taken back."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reclens.dashboard.uploads import (
    Upload,
    Uploads,
    keep,
    measure,
    possible_metrics,
    undo_upload,
)
from reclens.data.read.mind import read_mind
from reclens.data.read.uploads import guess_columns, open_upload
from reclens.errors import UsageError, WorkspaceError
from reclens.evaluation import evaluate, evaluate_requests
from reclens.report import leaderboard
from reclens.workspace import Workspace

LISTS = b"user,item,rank\n1,a,1\n1,b,2\n2,a,1\n2,c,2\n3,b,1\n"
TRUTH = b"user,item\n1,b\n2,a\n4,c\n"
TRAIN = b"user,item,rating\n1,c,5\n2,b,4\n3,a,1\n4,a,2\n"
ITEMS = io.BytesIO()
pq.write_table(pa.table({"item": ["a", "b", "c"], "genres": [["x"], ["x", "y"], ["z"]]}), ITEMS)
USERS = b"user,age\n1,young\n2,old\n3,old\n4,young\n"
FILES = {
    "lists": ("lists.csv", LISTS),
    "truth": ("truth.csv", TRUTH),
    "train": ("train.csv", TRAIN),
    "items": ("items.parquet", ITEMS.getvalue()),
    "users": ("users.csv", USERS),
}


def words(app) -> str:
    shown = [
        *app.markdown,
        *app.text,
        *app.caption,
        *app.title,
        *app.subheader,
        *app.warning,
        *app.error,
        *app.success,
        *app.info,
    ]
    return "\n".join(str(each.value) for each in shown).replace("\\", "")


def brought(*kinds: str) -> Uploads:
    tables = {kind: open_upload(FILES[kind][1], FILES[kind][0]) for kind in kinds}
    wanted = ["user_id", "item_id", "rank", "score", "relevance", "rating", "timestamp"]
    return Uploads(tables, {kind: guess_columns(raw.frame.columns, wanted) for kind, raw in tables.items()})


def upload(app, *, kinds: tuple[str, ...] = ("lists", "truth"), **instead: bytes):
    for kind in kinds:
        name, data = FILES[kind]
        app.file_uploader(key=f"file-{kind}").set_value((name, instead.get(kind, data), "application/octet-stream"))
    return app.run()


def button(app, label: str):
    return next(each for each in app.button if each.label == label)


def test_it_says_where_the_files_go(open_page, tmp_path: Path) -> None:
    """The reader may sit at another machine than the one that the dashboard runs on."""
    shown = words(open_page("upload", folder=tmp_path))
    assert "files are only sent to the machine that runs the dashboard" in shown
    assert "this machine" not in shown


def test_files_in_numbers_out(open_page, tmp_path: Path) -> None:
    app = upload(open_page("upload", folder=tmp_path, k="2", metrics=["ndcg", "recall"]))
    assert not app.exception and "5 rows, 3 columns" in words(app)
    button(app, "Evaluate").click().run()
    lists = pl.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": list("abacb"), "rank": [1, 2, 1, 2, 1]})
    truth = pl.DataFrame({"user_id": [1, 2, 4], "item_id": list("bac")})
    expected = evaluate(lists, truth, metrics=["ndcg@2", "recall@2"], name="lists")
    assert expected["recall@2"].overall.value == pytest.approx(2 / 3), "4 has no list"
    shown = app.dataframe[-1].value
    assert [tuple(row) for row in shown.itertuples(index=False)] == list(leaderboard({"lists": expected}).rows)
    assert "users without a list: 1" in words(app) and "lists of users without truth, left out: 1" in words(app)


def test_kept_linked_and_taken_back(open_page, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    app = upload(open_page("upload", folder=tmp_path))
    button(app, "Evaluate").click().run()
    app.text_input(key="keep-as").set_value("../up").run()
    button(app, "Keep in the workspace").click().run()
    assert "is no name" in words(app) and workspace.list() == []
    workspace.save(app.session_state["brought"], "taken")
    app.text_input(key="keep-as").set_value("taken").run()
    button(app, "Keep in the workspace").click().run()
    assert "Choose another name. Or replace it by “Replace one of that name”." in words(app)
    workspace.remove("evaluation", "taken")
    app.text_input(key="keep-as").set_value("mine").run()
    button(app, "Keep in the workspace").click().run()
    assert [each.name for each in workspace.list("evaluation")] == ["mine"]
    assert "Kept as mine" in words(app)
    assert app.get("link_button")[0].proto.url == "diagnostics?runs=mine"
    button(app, "Undo").click().run()
    assert workspace.list() == []


@pytest.mark.parametrize(
    ("lists", "says"),
    [
        (b"", "empty"),
        (b"user,item,rank\n1,a,first\n", "row 1"),
        (b"user,item,rank\n1,a,1\n1,b,\n", "row 2"),
        (b"user,item,rank\n,a,1\n", "row 1"),
        (b"user,item,rank\n1,a,1\n1,b,1\n", "at rank 1"),
        (b"user,item\n1,a\n", "rank"),
        (b"user,item,rank\n1,\xff,1\n", "not UTF-8"),
        (b"PK\x03\x04", "a zip"),
        (b"\x80\x04K\x01.", "A pickle is a program"),
        (b"user,item,score\n1,a,x\n", "row 1"),
        (b"user,item,rank\n1,<script>alert(1)</script>**b**,x\n", "row 1"),
    ],
)
def test_errors_stand_in_place(open_page, tmp_path: Path, lists: bytes, says: str) -> None:
    app = upload(open_page("upload", folder=tmp_path), lists=lists)
    buttons = [each for each in app.button if each.label == "Evaluate"]
    if buttons:
        buttons[0].click().run()
    assert not app.exception and says in words(app)
    said = "".join(each.value for each in app.error)
    assert "<script>" not in said and "columns=" not in said and "bad_rows=" not in said


def test_rows_that_cannot_be_used_are_left_out_and_counted(open_page, tmp_path: Path) -> None:
    app = upload(open_page("upload", folder=tmp_path), lists=LISTS + b",a,1\n")
    app.selectbox(key="bad").select("leave out and count").run()
    button(app, "Evaluate").click().run()
    assert not app.error and "left out: 1" in words(app)


def test_columns_with_other_names_are_chosen(open_page, tmp_path: Path) -> None:
    app = upload(open_page("upload", folder=tmp_path), lists=LISTS.replace(b"user,item,rank", b"who,what,place"))
    button(app, "Evaluate").click().run()
    assert "say which column is user_id and which is item_id" in words(app)
    for ours, theirs in (("user_id", "who"), ("item_id", "what"), ("rank", "place")):
        next(each for each in app.selectbox if each.label == ours).select(theirs)
    app.run()
    button(app, "Evaluate").click().run()
    assert not app.error and "Result" in words(app)


def test_one_column_for_two_things(open_page, tmp_path: Path) -> None:
    app = upload(open_page("upload", folder=tmp_path))
    next(each for each in app.selectbox if each.label == "item_id").select("user").run()
    button(app, "Evaluate").click().run()
    assert "the column 'user' is named twice" in words(app)


def test_a_file_without_a_header(open_page, tmp_path: Path) -> None:
    app = upload(
        open_page("upload", folder=tmp_path),
        kinds=("lists", "truth"),
        lists=b"1;8;1\n1;7;2\n2;9;1\n",
        truth="1|8|Ä\n2|7|é\n".encode("latin-1"),
    )
    assert "choose that it is a row under" in words(app)
    for kind in ("lists", "truth"):
        app.selectbox(key=f"First line-{kind}").set_value("is a row")
    app.selectbox(key="Encoding-truth").set_value("latin-1")
    app = app.run()
    assert not app.error and "3 rows, 3 columns" in words(app)
    for box in [each for each in app.selectbox if str(each.key).startswith("column-")]:
        kind, ours = str(box.key).split("-")[1:3]
        places = {"user_id": "column_1", "item_id": "column_2", "rank": "column_3"}
        if ours in places and not (kind == "truth" and ours == "rank"):
            box.set_value(places[ours])
    app = app.run()
    app = button(app, "Evaluate").click().run()
    assert not app.error and app.session_state["brought"]["recall@10"].overall.value == 0.5


def test_repeated_rows_are_counted() -> None:
    lists = open_upload(LISTS + b"1,a,3\n", "lists.csv")
    given = brought("lists", "truth")
    found = measure(Uploads({**given.tables, "lists": lists}, given.columns), metrics=["recall"], k=5)
    assert any(rule["code"] == "repeated_items" and rule["count"] == 1 for rule in found.card["rules"])


def test_more_files_make_more_metrics_and_segments(open_page, tmp_path: Path) -> None:
    assert "novelty" not in possible_metrics(brought("lists", "truth"))
    assert {"novelty", "coverage"} <= set(possible_metrics(brought("lists", "truth", "train")))
    assert "diversity" not in possible_metrics(brought("lists", "truth", "train"))
    everything = brought("lists", "truth", "train", "items", "users")
    assert "diversity" in possible_metrics(everything)
    found = measure(everything, metrics=possible_metrics(everything), k=2, by=["age"])
    assert found["recall@2"].by["age"]["old"].value == 1
    app = upload(open_page("upload", folder=tmp_path, by="age"), kinds=tuple(FILES))
    button(app, "Evaluate").click().run()
    assert not app.error and "Result" in words(app)


def test_what_is_missing_is_said() -> None:
    with pytest.raises(UsageError, match="Truth: bring a file"):
        measure(brought("lists"), metrics=["ndcg"], k=10)
    with pytest.raises(UsageError, match="segments need the training"):
        measure(brought("lists", "truth", "users"), metrics=["ndcg"], k=10, by=["age"])


def test_a_replaced_one_comes_back(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    one, two = (measure(brought("lists", "truth"), metrics=["recall"], k=k) for k in (1, 2))
    first = keep(workspace, one, "mine")
    assert first == Upload("mine", workspace.list("evaluation")[0].created)
    with pytest.raises(WorkspaceError, match="exists"):
        keep(workspace, two, "mine")
    kept = keep(workspace, two, "mine", replace=True)
    assert kept.before == first.written and workspace.load("evaluation", "mine").metrics == two.metrics
    undo_upload(workspace, kept)
    assert workspace.load("evaluation", "mine").metrics == one.metrics


def test_what_somebody_else_has_replaced_is_not_undone(tmp_path: Path) -> None:
    """A replaces the first, B replaces A's: A cannot take B's back, B can, and then A can."""
    workspace = Workspace(tmp_path)
    one, two, three = (measure(brought("lists", "truth"), metrics=["recall"], k=k) for k in (1, 2, 3))
    keep(workspace, one, "mine")
    of_a, of_b = (keep(workspace, result, "mine", replace=True) for result in (two, three))
    with pytest.raises(WorkspaceError, match="nothing was undone"):
        undo_upload(workspace, of_a)
    assert workspace.load("evaluation", "mine").metrics == three.metrics
    undo_upload(workspace, of_b)
    assert workspace.load("evaluation", "mine").metrics == two.metrics
    undo_upload(workspace, of_a)
    assert workspace.load("evaluation", "mine").metrics == one.metrics
    with pytest.raises(WorkspaceError, match="nothing was undone"):
        undo_upload(workspace, of_b)


def test_undo_brings_back_the_one_that_was_replaced_and_no_other(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    one, two, three = (measure(brought("lists", "truth"), metrics=["recall"], k=k) for k in (1, 2, 3))
    keep(workspace, one, "mine")
    kept = keep(workspace, two, "mine", replace=True)
    workspace.remove("evaluation", "mine")
    keep(workspace, three, "mine")
    workspace.remove("evaluation", "mine")
    workspace.restore("evaluation", "mine", created=kept.written)
    undo_upload(workspace, kept)
    assert workspace.load("evaluation", "mine").metrics == one.metrics


def test_training_and_truth_are_kept_as_a_split(open_page, tmp_path: Path) -> None:
    app = upload(open_page("upload", folder=tmp_path), kinds=("train", "truth"))
    assert not app.exception
    button(app, "Keep the split").click().run()
    assert "Kept as train: 4 interactions to learn from, 3 held out" in words(app)
    split = Workspace(tmp_path).load("split", "train")
    assert (split.card["method"], split.test.rows()) == ("given", [(1, "b", None), (2, "a", None), (4, "c", None)])
    button(app, "Keep the split").click().run()
    assert "Choose another name." in words(app) and "overwrite" not in words(app)


def test_ids_that_do_not_match_are_an_error_on_the_page(open_page, tmp_path: Path) -> None:
    app = upload(open_page("upload", folder=tmp_path), truth=b"user,item\n001,b\n002,a\n")
    button(app, "Evaluate").click().run()
    assert "no user of the lists is in the truth" in words(app) and "lost its leading zeros" in words(app)
    assert "Choose “as text, without leading zeros” for the ids below." in words(app)
    app.selectbox(key="ids").select("as text, without leading zeros").run()
    button(app, "Evaluate").click().run()
    assert "lists of users without truth, left out: 1" in words(app) and not app.error


def test_lists_in_one_cell_and_lines_of_items_measure_as_rows_do(open_page, tmp_path: Path) -> None:
    """The readers of Python and the command line unfold them: ``form`` and ``between`` are theirs."""
    expected = None
    for lists, truth, form in (
        (LISTS, TRUTH, "one"),
        (b'user,item\n1,"a b"\n2,"a c"\n3,b\n', TRUTH, "several in a cell"),
        (b"1 a b\n2 a c\n3 b\n", TRUTH, "a line of a user and their items"),
        (
            b'{"user": 1, "item": ["a", "b"]}\n{"user": 2, "item": ["a", "c"]}\n{"user": 3, "item": ["b"]}\n',
            TRUTH,
            "one",
        ),
    ):
        app = upload(open_page("upload", folder=tmp_path, k="2", metrics=["ndcg", "recall"]), lists=lists, truth=truth)
        app.selectbox(key="Items of a row-lists").set_value(form).run()
        assert not app.exception, app.exception
        button(app, "Evaluate").click().run()
        shown = app.dataframe[-1].value
        expected = shown if expected is None else expected
        assert shown.equals(expected), (form, words(app))


def test_impressions_of_mind_are_measured_as_the_command_does(open_page, tmp_path: Path) -> None:
    behaviors = b"1\tU1\t11/15/2019 9:55:12 AM\tN3\tN1-0 N2-1 N4-0\n2\tU2\t11/15/2019 9:56:12 AM\t\tN1-1 N2-0\n"
    app = open_page("upload", folder=tmp_path)
    app.file_uploader(key="file-impressions").set_value(("behaviors.tsv", behaviors, "text/plain"))
    app.file_uploader(key="file-submission").set_value(("mine.txt", b"1 [2,1,3]\n2 [2,1]\n", "text/plain"))
    app.run()
    button(app, "Evaluate the submission").click().run()
    assert not app.exception, app.exception
    # U1 has the click first (AUC 1), U2 has it last (AUC 0).
    found = evaluate_requests(read_mind(behaviors, b"1 [2,1,3]\n2 [2,1]\n"), name="mine")
    assert found["candidate_auc"].overall.value == 0.5
    shown = app.dataframe[-1].value
    assert [tuple(row) for row in shown.itertuples(index=False)] == list(leaderboard({"mine": found}).rows)
    app.file_uploader(key="file-submission").set_value(("mine.txt", b"1 [2,1]\n", "text/plain"))
    app.run()
    button(app, "Evaluate the submission").click().run()
    assert "3 candidates and 2 ranks" in words(app)


def test_lists_against_a_split_land_beside_the_systems_that_are_there(
    open_page, workspace: Workspace, tmp_path
) -> None:
    """Only lists are brought: the rest is that of the job, and the result stands in its comparison."""
    folder = shutil.copytree(workspace.folder, tmp_path / "workspace")
    place = Workspace(folder)
    table = place.load("run", "small-item_knn").table.select("user_id", "item_id", "rank")
    before = open_page("diagnostics", folder=folder).multiselect(key="runs").value
    app = open_page("upload", folder=folder)
    assert app.selectbox(key="against").value == "small" and len(app.get("file_uploader")) == 1
    app.file_uploader(key="file-lists").set_value(("theirs.csv", table.write_csv().encode(), "text/csv"))
    app.run()
    button(app, "Evaluate").click().run()
    button(app, "Keep in the workspace").click().run()
    theirs, ours = (place.load("evaluation", name) for name in ("theirs", "small-item_knn"))
    assert [theirs[name].overall for name in ours.metrics] == [ours[name].overall for name in ours.metrics]
    assert theirs.segments.equals(ours.segments) and place.load("run", "theirs").table.equals(table)
    links = [each.proto.url for each in app.get("link_button")]
    assert "compare?system=theirs&baseline=small-popular" in links
    shown = open_page("compare", folder=folder, system="theirs", baseline="small-item_knn")
    assert "show no difference" in words(shown) or "No difference" in words(shown)
    assert open_page("diagnostics", folder=folder).multiselect(key="runs").value == ["theirs", *before]
    assert "theirs" in open_page("users", folder=folder, runs=["theirs"]).multiselect(key="runs").value
    button(app, "Undo").click().run()
    assert "theirs" not in [each.name for kind in ("run", "evaluation") for each in place.list(kind)]


def test_a_fault_is_said_beside_its_file_with_its_row(open_page, tmp_path: Path) -> None:
    """What is wrong with the training data opens the part where it was brought, and shows its row."""
    wrong = b"user,item,rating\n1,c,5\n2,b,\xe2\x80\x94\n3,a,1\n"
    app = upload(open_page("upload", folder=tmp_path), kinds=("lists", "truth", "train"), train=wrong)
    button(app, "Evaluate").click().run()
    part = next(each for each in app.expander if each.label.startswith("Training data"))
    assert part.proto.expanded
    (said,) = part.error
    assert "train.csv, column 'rating', row 2" in said.value.replace("\\", "")
    assert [row.tolist() for row in part.dataframe[0].value.to_numpy()] == [["2", "b", "—"]]
    assert "stands beside the file, above" in words(app)
    app = upload(app, kinds=("train",))
    assert not app.error


def test_runs_of_other_truths_stand_in_groups_of_their_own(open_page, workspace: Workspace, tmp_path: Path) -> None:
    folder = shutil.copytree(workspace.folder, tmp_path / "workspace")
    before = {page: words(open_page(page, folder=folder)) for page in ("diagnostics", "compare")}
    lists, truth = (
        pl.read_csv(io.BytesIO(each)).rename({"user": "user_id", "item": "item_id"}) for each in (LISTS, TRUTH)
    )
    Workspace(folder).save(evaluate(lists, truth, metrics=["ndcg@10"]), "small-alone")
    for page, shown in before.items():  # its name begins like those of the job
        assert words(open_page(page, folder=folder)) == shown
    app = open_page("diagnostics", folder=folder, runs=["small-ease", "small-alone"])
    assert app.multiselect(key="runs").value == ["small-ease"]
    assert "small-alone stands apart" in words(app) and "3 rows for" in words(app)
    alone = open_page("diagnostics", folder=folder, runs=["small-alone"])
    assert alone.multiselect(key="runs").value == ["small-alone"]
