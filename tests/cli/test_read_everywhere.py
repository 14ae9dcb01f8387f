"""What is typed of how files are read is used, or refused with the reason; and advice, when followed, loses nothing."""

from __future__ import annotations

import io
import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer

import reclens as rl
from reclens.cli import main
from reclens.cli.app import app
from reclens.models import Popular
from reclens.workspace import Workspace

U_DATA = "196\t242\t3\t881250949\n186\t302\t3\t891717742\n22\t377\t1\t878887116\n196\t302\t5\t881250950\n"


@dataclass(frozen=True)
class Said:
    """What a command printed."""

    stdout: str
    stderr: str
    status: int

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of a table in JSON."""
        return json.loads(self.stdout)["rows"]

    def measure(self, name: str, section: str = "size") -> Any:
        """One value of ``data info``."""
        return next(row["value"] for row in self.rows if (row["section"], row["measure"]) == (section, name))


Call = Callable[..., Said]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs a command in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*command: str, status: int | None = 0, stdin: bytes = b"") -> Said:
        monkeypatch.setattr(sys, "argv", ["reclens", *command])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as end:
            main()
        said = Said(*capsys.readouterr(), int(end.value.code or 0))
        assert status in (None, said.status), (command, said)
        return said

    return run


def commands() -> Iterator[tuple[tuple[str, ...], set[str], set[str]]]:
    """Every command: its words, its options and the names of its parameters."""

    def below(group: Any, words: tuple[str, ...]) -> Iterator[Any]:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from below(command, (*words, name))
            else:
                options = {
                    each for parameter in command.params for each in (*parameter.opts, *parameter.secondary_opts)
                }
                yield (*words, name), options, {str(parameter.name) for parameter in command.params}

    yield from below(typer.main.get_command(app), ())


# ------------------------------------------------------------------------------------------------------ one bundle

INTERACTIONS = {"--data", "--truth", "--train", "--pairs", "--impressions"}
UNITS = {"--history", "--exposures", "--catalogue"}
ARGUMENTS = {
    ("data", "info"),
    ("data", "split"),
    ("data", "convert"),
    ("evaluate",),
    ("evaluate-predictions",),
    ("experiment", "realism"),
    ("experiment", "read"),
    ("experiment", "aa"),
    ("experiment", "assign"),
    ("experiment", "check"),
    ("experiment", "off-policy"),
}
# Elsewhere --data takes NAME=PATH, for data that are read as the project says.
NOT_FILES = {("experiment", "verdicts"): {"--truth"}, ("portfolio", "verify"): {"--data"}}


def test_every_command_that_reads_takes_the_same_options() -> None:
    seen = 0
    for words, options, _ in commands():
        files = options - NOT_FILES.get(words, set())
        if not (files & (INTERACTIONS | UNITS) or words in ARGUMENTS):
            continue
        seen += 1
        assert {"--column", "--read"} <= options, words
        units = words[0] == "experiment" and "--data" not in options and words[1] != "realism"
        assert units or "--ids" in options, words
        # Pairs, predictions and requests have no attributes; where --users or --lists is a number, data has none.
        bare = units or words in (
            ("predict",),
            ("evaluate-predictions",),
            ("pipeline", "diagram"),
            ("experiment", "holdout"),
            ("experiment", "verdicts"),
            ("recommend",),
            ("pipeline", "recommend"),
            ("pipeline", "trace"),
            ("explore", "demo"),
            ("explore", "report"),
        )
        assert bare or {"--users", "--items", "--lists"} <= options, words
    assert seen >= 25


BROKEN = {
    "empty.csv": b"",
    "headerless.csv": U_DATA.encode(),
    "other.csv": b"kunde,film\n1,2\n",
    "latin.csv": "user,item\n1,Amélie\n".encode("latin-1"),
    "missing.csv": b"user,item\n1,\n",
    "time.csv": b"user,item,timestamp\n1,2,31/12/2020\n",
    "quote.csv": b'user,item\n1,"a\n2,7" b\n',
    "ragged.csv": b"user,item\n1,2,3\n",
    "steam.json": b"{'user_id': u'1', 'item_id': u'2'}\n",
    "binary.csv": b"\0\1\2",
    "two.csv": b"user,uid,item\n1,2,3\n",
    "number.csv": b"user,item,rating\n1,2,x\n",
    "nan.csv": b"user,item,rating\n1,2,\n",
    "names.csv": b"user,item\n1,2\n3,4\n",
}
SOME = ("headerless.csv", "other.csv", "latin.csv", "missing.csv")
GOOD = b"user,item,rank\n1,2,1\n"


@pytest.mark.parametrize(
    "command",
    [
        "data info FILE",
        "data split FILE",
        "data sql item_popularity -d FILE",
        "data convert FILE out",
        "demo -d FILE",
        "fit popular -d FILE",
        "tune -m popular -d FILE",
        "knowledge columns -d FILE",
        "evaluate FILE -t good.csv",
        "evaluate good.csv -t FILE",
        "evaluate good.csv -t good.csv --train FILE",
        "experiment realism FILE",
        "evaluate-predictions FILE",
        "experiment aa plan.toml FILE",
        "experiment assign plan.toml FILE",
        "experiment off-policy FILE good.csv",
        "run job.toml",
    ],
)
def test_options_that_errors_name_are_there(call: Call, command: str) -> None:
    own = next(options for words, options, _ in commands() if tuple(command.split()[: len(words)]) == words)
    Path("good.csv").write_bytes(GOOD)
    call("experiment", "plan", "--example") if "plan.toml" in command else None
    Path("plan.toml").write_text('name = "p"\nunit = "user"\nstart = 2026-01-05\n[arms]\na = 0.5\nb = 0.5\n')
    named: set[str] = set()
    # Commands that share a loader share its errors: some files of all are enough there.
    whole = command in ("data info FILE", "evaluate FILE -t good.csv", "evaluate good.csv -t FILE", "run job.toml")
    for name in BROKEN if whole else SOME:
        content = BROKEN[name]
        Path(name).write_bytes(content)
        Path("job.toml").write_text(f'[data]\npath = "{name}"\n')
        arguments = shlex.split(command.replace("FILE", name))
        more = ["-c", "user_id=0", "-c", "item_id=1"] if name == "names.csv" and "run" not in command else []
        said = _fails(call, *arguments, *more)
        named |= set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", said))
        assert not re.search(r"\b(columns|encoding|bad_rows|header|quote|delimiter)=[{'TF]", said), said
    assert named <= own, named - own
    assert (
        command == "run job.toml"
        or "plan.toml" in command
        or "off-policy" in command
        or {"--column", "--read"} <= named
    )


def _fails(call: Call, *command: str) -> str:
    """What a command says when it ends with 2; nothing where the file is no fault to it."""
    said = call(*command, status=None)
    assert "Traceback" not in said.stderr
    return said.stderr if said.status == 2 else ""


# ------------------------------------------------------------------------------------------ following the advice


def test_following_the_advice_reads_every_row(call: Call) -> None:
    Path("u.data").write_text(U_DATA)
    said = call("data", "info", "u.data", status=2).stderr
    advised = re.findall(r"--column (\S+?)[;.,]?(?= |$)", said.strip())
    found = call("data", "info", "u.data", "-f", "json", *(part for each in advised for part in ("-c", each)))
    assert found.measure("interactions") == 4 and found.measure("users") == 3 and found.measure("items") == 3
    assert found.measure("mean", "ratings") == 3.0
    assert found.measure("first", "time").startswith("1997-11-07")
    # The name of a cell would lose the first row; its place in a file without a header does not.
    named = ("-c", "user_id=196", "-c", "item_id=242")
    said = call("data", "info", "u.data", *named, status=2).stderr
    assert re.search(r"'(user_id' is to be at place 196|item_id' is to be at place 242).*Change --column", said)


def test_header_is_an_option(call: Call) -> None:
    Path("a.csv").write_text("10,20\n1,7\n2,8\n")
    places = ("-c", "user_id=0", "-c", "item_id=1", "-f", "json")
    assert call("data", "info", "a.csv", *places).measure("interactions") == 3
    assert call("data", "info", "a.csv", *places, "--read", "header=false").measure("interactions") == 3
    assert call("data", "info", "a.csv", *places, "--read", "header=true").measure("interactions") == 2
    assert "expected true or false" in call("data", "info", "a.csv", "--read", "header=perhaps", status=2).stderr


def test_unused_columns_are_listed(call: Call) -> None:
    Path("a.csv").write_text("user,item,shelf,note\n1,7,x,y\n2,8,x,y\n")
    rows = call("data", "info", "a.csv", "-f", "json").rows
    assert [row["value"] for row in rows if row["measure"] == "not used"] == ["shelf", "note"]


# ------------------------------------------------------------------------------------------------- a table each


def test_each_table_has_its_own_names_and_options(call: Call) -> None:
    Path("lists.csv").write_text("customer;sku;place\n1;Ä;1\n2;b;1\n", encoding="latin-1")
    Path("truth.tsv").write_text("1\tÄ\n2\tc\n")
    Path("train.csv").write_text("uid,iid\n1,b\n2,Ä\n1,c\n")
    Path("people.txt").write_text("1|24\n2|53\n")
    Path("goods.csv").write_text("iid,tags\nÄ,x+y\nb,x\nc,z\n")
    command = (
        "evaluate",
        "lists.csv",
        "-t",
        "truth.tsv",
        "--train",
        "train.csv",
        "--users",
        "people.txt",
        "--items",
        "goods.csv",
        "-c",
        "lists:user_id=customer",
        "-c",
        "lists:item_id=sku",
        "-c",
        "lists:rank=place",
        "--read",
        "lists:encoding=latin-1",
        "-c",
        "truth:user_id=0",
        "-c",
        "truth:item_id=1",
        "-c",
        "users:user_id=0",
        "-c",
        "users:age=1",
        "--read",
        "users:header=false",
        "--lists",
        "tags=+",
        "--by",
        "age",
        "-m",
        "mrr@1",
        "-m",
        "diversity@1",
        "-f",
        "json",
    )
    rows = call(*command).rows
    first = [row for row in rows if row["metric"] == "mrr@1"]
    assert {row["segment"]: row["value"] for row in first} == {"all": 0.5, "24": 1.0, "53": 0.0}


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (("-c", "list:user_id=a"), "unknown table in --column list:user_id 'list'"),
        (("-c", "users:user_id=a"), "--column is about users, which is not given"),
        (("-c", "user_id"), "expected name=value"),
        (("-c", "user_id=a", "-c", "user_id=b"), "--column user_id= is given twice"),
        (("-c", "usr_id=a"), "'usr_id'"),
        (("--read", "enc=latin-1"), "unknown option of --read 'enc'"),
        (("--read", "encoding=latin-x"), "encoding is 'latin-x'"),
        (("--read", "quote=ab"), "quote is 'ab'"),
        (("--read", "delimiter="), "delimiter=: expected a character"),
        (("--read", "lists:duplicates=sum"), "--read duplicates cannot be used for lists.csv"),
        (("--ids", "int"), "unknown value of --ids 'int'"),
        (("--lists", "genres=|"), "--lists is about attributes"),
        (("-c", "lists:user_id=9", "--read", "lists:header=true"), "at place 9"),
    ],
)
def test_what_cannot_be_used_is_refused(call: Call, typed: tuple[str, ...], says: str) -> None:
    Path("lists.csv").write_bytes(GOOD)
    Path("truth.csv").write_text("user,item\n1,2\n")
    assert says in " ".join(call("evaluate", "lists.csv", "-t", "truth.csv", *typed, status=2).stderr.split())


def test_nothing_is_said_of_files_that_are_not_read(call: Call) -> None:
    pl.DataFrame({"user": [1], "item": [2], "rank": [1]}).write_parquet("a.parquet")
    assert "cannot be used for a.parquet" in call("data", "info", "a.parquet", "--read", "delimiter=;", status=2).stderr
    for typed in (("--read", "encoding=latin-1"), ("--column", "user_id=a"), ("--ids", "text"), ("--users", "x.csv")):
        assert f"{typed[0]}" in call("fit", "popular", *typed, status=2).stderr
        said = call("fit", "popular", "--split", "s", *typed, status=2).stderr
        assert typed[0] in said and "--split" in said
    # One of two files can take it: it is used there.
    Path("truth.csv").write_text("user;item\n1;2\n")
    said = call("evaluate", "a.parquet", "-t", "truth.csv", "--read", "delimiter=;", "-m", "mrr@1", "-f", "json")
    assert said.rows[0]["value"] == 1.0


def test_standard_input(call: Call) -> None:
    Path("truth.csv").write_text("user,item\n1,2\n")
    assert call("evaluate", "-", "-t", "truth.csv", "-m", "mrr@1", "-f", "json", stdin=GOOD).rows[0]["value"] == 1.0
    assert call("data", "info", "-", "-f", "json", stdin=GOOD).measure("interactions") == 1
    assert "standard input: the file is empty" in call("data", "info", "-", status=2).stderr
    assert "can be read once" in call("evaluate", "-", "-t", "-", status=2, stdin=GOOD).stderr


# --------------------------------------------------------------------------------------------------------- ids text


def test_lists_of_another_team_are_measured_and_compared_with_kept_runs(call: Call) -> None:
    data = rl.read({"user": [1, 1, 2, 2, 3, 3], "item": [10, 11, 10, 12, 11, 12], "timestamp": [1, 2, 1, 2, 1, 2]})
    split = rl.split.last_n(data, n=1)
    place = Workspace(Path("workspace"))
    place.save(split, "s")
    place.save(Popular().fit(split.train).recommend(split.test_users, k=2), "ours")
    Path("theirs.csv").write_text("user,item,rank\n1,NEW-1,1\n1,11,2\n2,12,1\n3,NEW-1,1\n")
    measured = ("-m", "mrr@2", "-f", "json")
    refused = call("evaluate", "theirs.csv", "--split", "s", *measured, status=2).stderr
    assert "--ids text" in refused
    found = call("evaluate", "theirs.csv", "--split", "s", "--ids", "text", "--keep", "theirs", *measured).rows[0]
    assert found["value"] == pytest.approx((1 / 2 + 1 + 0) / 3)
    as_text = call("evaluate", "ours", "--split", "s", "--ids", "text", "--keep", "ours", *measured).rows[0]
    assert as_text["value"] == call("evaluate", "ours", "--split", "s", *measured).rows[0]["value"]
    compared = call("compare", "ours", "theirs", "-f", "json").rows
    assert compared[0]["difference"] == pytest.approx(found["value"] - as_text["value"])


# ------------------------------------------------------------------------------------------------------------- jobs

JOB = """\ufeff[data]
path = "events.txt"
users = "people.csv"
items = "goods.csv"
columns = { user_id = 0, item_id = 1, "users:user_id" = "client" }
read = { delimiter = "~", header = false }
lists = { tags = "+" }
ids = "text"

[split]
method = "random"
test_share = 0.5

[models.popular]

[evaluate]
metrics = ["ndcg@2", "diversity@2"]
k = 2
"""


def test_a_job_says_the_same(call: Call) -> None:
    Path("events.txt").write_text("".join(f"{u}~{i}\n" for u in range(6) for i in range(10, 16) if (u + i) % 3))
    Path("people.csv").write_text("client,age\n" + "".join(f"{u},{20 + u}\n" for u in range(6)))
    Path("goods.csv").write_text("item,tags\n" + "".join(f"{i},x+{i % 2}\n" for i in range(10, 16)))
    Path("job.toml").write_text(JOB, encoding="utf-8")
    call("run", "job.toml", "-q", "-f", "json")
    train = Workspace(Path("workspace")).load("split", "demo").train
    assert train.users is not None and train.items is not None
    assert train.users.schema["user_id"] == pl.String and train.users["age"].to_list() == [*range(20, 26)]
    assert train.items["tags"].to_list()[1] == ["x", "1"]
    assert train.interactions.schema["user_id"] == pl.String
    Path("job.toml").write_text('[data]\npath = "events.txt"\n')
    assert "by read = { delimiter = … }" in call("run", "job.toml", status=2).stderr
    Path("events.txt").write_text(U_DATA)
    said = call("run", "job.toml", status=2).stderr
    assert "columns = { user_id = 0, item_id = 1" in said and "--" not in said
    Path("job.toml").write_text('[data]\npath = "events.txt"\nread = { nosuch = "x" }\n')
    assert "unknown option of [data] read 'nosuch'" in call("run", "job.toml", status=2).stderr
