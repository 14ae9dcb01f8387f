"""Every command with a valid call, and for each of its options what it has to refuse. Fixtures in conftest load it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final, NamedTuple

import typer

from reclens.cli.app import app

Call = dict[str, Any]
"""Option or argument -> its value; None for a flag, a list for what is repeated."""


class Wrong(NamedTuple):
    """What an option refuses.

    Attributes:
        values: Each ends the command with status 2 and is named in the message, or its option is.
        beside: What has to be given too, so that the option is looked at. A value of ``...`` takes the option away.
    """

    values: tuple[str, ...]
    beside: Call = {}  # noqa: RUF012 - never written to


FREE: Final = Wrong(())
"""Free words, or a flag: there is no wrong value."""

ABSENT = Wrong(("nosuch.csv",))
TOML = Wrong(("nosuch.toml", "events.csv"))
NAME = Wrong(("nosuch",))
ARTEFACT = Wrong(("../a", "a b"))
COUNT = Wrong(("0", "-1", "1.5", "nan"))
SHARE = Wrong(("0", "1", "-0.1", "nan", "inf", "x"))
POSITIVE = Wrong(("0", "-1", "nan", "inf"))
FILE = Wrong(("folder", "events.csv/below.txt"))
SEED = Wrong(("-1", "99999999999999999999999", "x"))
COLUMNS = Wrong(("user_id=nosuch", "nosuch=user_id", "user_id"))
READ = Wrong(("nosuch=1", "bad_rows=nosuch", "encoding=nosuch", "bad_rows"))

EVERYWHERE: Final = {
    "--format": NAME,
    "--out": FILE,
    "--seed": SEED,
    "--html": FILE,
    "--report": Wrong(("events.csv/below",)),
    "--quiet": FREE,
    "--workspace": Wrong(("nosuch", "events.csv")),
    "--column": COLUMNS,
    "--read": READ,
    "--data": ABSENT,
    "--truth": ABSENT,
    "--train": ABSENT,
    "--users": ABSENT,
    "--items": ABSENT,
    "--split": NAME,
    "--metric": Wrong(("ncdg@10", "ndcg", "ndcg@0", "ndcg@-1")),
    "--by": NAME,
    "--level": SHARE,
    "--power": SHARE,
    "--name": ARTEFACT,
    "--keep": ARTEFACT,
    "--k": COUNT,
    "--overwrite": FREE,
    "--task": NAME,
    "--method": NAME,
    "--config": TOML,
    "--param": Wrong(("nosuch=1", "l2")),
    "--size": NAME,
    "--control": NAME,
    "--treatment": NAME,
    "--days": COUNT,
    "--example": FREE,
    "--evaluations": NAME,
    "--comparison": NAME,
    "--force": FREE,
    "--lists": Wrong(("genres", "nosuch=|")),
    "--ids": NAME,
    "--history": ABSENT,
    "--segments": FREE,
    "--model": NAME,
    "--user": NAME,
    "--correction": NAME,
    "--baseline": NAME,
    "plan": TOML,
    "source": TOML,
    "units": ABSENT,
    "data": ABSENT,
    "kind": NAME,
    "name": NAME,
    "pipeline": NAME,
    "model": NAME,
    "config": TOML,
    "lists": ABSENT,
    "path": ABSENT,
    "evaluations": NAME,
}
"""By the name of the option, where a command does not say otherwise."""

OWN: Final = {"--column": Wrong(("user_id=nosuch", "user_id"))}
"""Of tables whose columns may have any name."""

NEW: Final = {"--workspace": Wrong(("events.csv",))}
"""Of commands that make a workspace which is not there."""

_DATA: Final = {"--data": "events.csv"}
_ASK: Final = {"--data": "events.csv", "--items": "items.csv"}
_REQUIRE: Final = Wrong(("nosuch > 1", "price >", "price >> 1"))
_MODEL: Final[dict[str, Wrong]] = {
    "--items": ABSENT,
    "--model": Wrong(("nosuch",), {"--data": ..., "--items": ...}),
    "--workspace": Wrong(("nosuch",), {"--data": ..., "--items": ..., "--model": "k"}),
}
_SHOP: Final = {"--require": _REQUIRE, **_MODEL}
_WORLD: Final[Call] = {"--size": "tiny"}

_REQUEST: Final[dict[str, Wrong]] = {
    "--exclude": ABSENT,
    "--candidates": ABSENT,
    "--history-mode": Wrong(NAME.values, {"--history": "train.csv"}),
    "--cold-users": NAME,
    "--column": Wrong(COLUMNS.values, {"--exclude": "train.csv"}),
    "--read": Wrong(READ.values, {"--exclude": "train.csv"}),
}
_TRACK: Final = {"--track": Wrong(("nosuch", "nosuch:x", "wandb:a/b/c"))}
_OF_HISTORY: Final = {name: _REQUEST[name] for name in ("--history-mode", "--column", "--read")}

DAY = Wrong(("nosuch", "2026-13-01", "05.01.2026"))
_WATCHED: Final = {"--project": Wrong(("nosuch",))}
_WAIT: Final = {"--wait": Wrong(("-1", "x"))}
_NO_FOLDER: Final = {"--workspace": Wrong(("events.csv",), {"folder": ...})}
_SPAN: Final[Call] = {"--from": "2026-01-05", "--to": "2026-01-06"}
_UNNAMED: Final = {"--workspace": Wrong(("nosuch", "events.csv"), {"--project": ...})}
_LEARNED: Final[Call] = {"--project": "learned"}
_INCIDENT: Final = "4b6221c5"
"""The day without data of the monitor of the shop."""

COMMANDS: Final[dict[str, tuple[Call, dict[str, Wrong]]]] = {
    "demo": (_DATA, {**NEW, "--deep": FREE, "--files": Wrong(("events.csv",), {"--data": ...})}),
    "run": ({"config": "job.toml"}, {**NEW, **_TRACK}),
    "evaluate": (
        {"lists": "lists.csv", "--truth": "truth.csv", "--metric": ["ndcg@2"]},
        {
            **_TRACK,
            "--name": FREE,
            "--users": Wrong(("nosuch.csv",), {"--train": "train.csv"}),
            "--items": Wrong(("nosuch.csv",), {"--train": "train.csv"}),
            "--split": Wrong(("nosuch",), {"--truth": ...}),
            "--relevance": NAME,
            "--convention": NAME,
            "--by": Wrong(("nosuch",), {"--train": "train.csv"}),
            "--engine": NAME,
            "--partitions": Wrong(("0", "-1", "x", "3")),
            "--values": Wrong(("folder",)),
            "--workspace": Wrong(("nosuch",), {"--split": "s", "--truth": ...}),
        },
    ),
    "compare": (
        {"evaluations": ["e1", "e2"]},
        {
            "--primary": Wrong(("nosuch@10", "recall@5")),
            "--intervals": NAME,
            "--metric": Wrong(("nosuch@10", "recall@5")),
            "--fail-on-loss": FREE,
            "--gate": FILE,
        },
    ),
    "report": ({"evaluations": ["e1", "e2"]}, {"--title": FREE}),
    "fit": (
        {"model": "popular", **_DATA, "--name": "new"},
        {**NEW, **_TRACK, "--checkpoint": Wrong(("folder",)), "--split": Wrong(("nosuch",), {"--data": ...})},
    ),
    "recommend": (
        {"model": "m"},
        {
            "--k": COUNT,
            "--seen": FREE,
            "--explain": FREE,
            "--user": NAME,
            **_REQUEST,
        },
    ),
    "similar": ({"item": ["1", "2"], "--model": "m"}, {"item": NAME}),
    "predict": (
        {"model": "rated", "--pairs": "truth.csv"},
        {"--split": Wrong(("nosuch",), {"--pairs": ...}), "--pairs": ABSENT, "--fallback": NAME, "--clip": FREE},
    ),
    "evaluate-predictions": (
        {"predictions": "predicted.csv", "--metric": ["rmse"]},
        {
            "predictions": ABSENT,
            "--metric": Wrong(("rmsee", "ndcg@10")),
            "--name": FREE,
            "--by": Wrong(("nosuch",), {"--split": "s"}),
            "--workspace": Wrong(("nosuch",), {"--split": "s"}),
        },
    ),
    "evaluate-requests": (
        {"candidates": "shown.csv", "--metric": ["candidate_auc"]},
        {
            "candidates": ABSENT,
            "--metric": Wrong(("ndcgg@5", "auc@10", "ndcg@0")),
            "--name": FREE,
            "--predictions": ABSENT,
            "--column": OWN["--column"],
            "--by": Wrong(("nosuch",), {"--split": "s"}),
            "--workspace": Wrong(("nosuch",), {"--split": "s"}),
        },
    ),
    "tune": (
        {"--model": ["popular"], **_DATA, "--trials": "1", "--metric": "ndcg@2"},
        {
            **NEW,
            **_TRACK,
            "--split": Wrong(("nosuch",), {"--data": ...}),
            "--trials": COUNT,
            "--seconds": Wrong(("0", "-1", "nan")),
            "--range": Wrong(("nosuch.l2=1:2", "popular.nosuch=1:2", "popular=1:2", "popular.l2=2:1", "popular.l2")),
            "--show-trials": FREE,
        },
    ),
    "tune-weights": (
        {"config": "blend.toml", "--split": "s", "--metric": "ndcg@2", "--step": "0.5", "--name": "blend"},
        {
            "--search": NAME,
            "--step": Wrong(("0", "-1", "0.3", "nan")),
            "--draws": Wrong(("-1", "1.5"), {"--search": "random"}),
        },
    ),
    "dashboard": (
        {"--no-browser": None},
        {
            **NEW,
            "--host": NAME,
            "--port": Wrong(("0", "-1", "70000", "x")),
            "--insecure": FREE,
            "--browser": FREE,
            "--public-url": Wrong(("nosuch", "ftp://x", "https://x/?a")),
        },
    ),
    "doctor": ({}, NEW),
    "track-sync": ({"runs": ["events.csv"]}, {"runs": Wrong(("nosuch",)), "--timeout": Wrong(("-1", "nan"))}),
    "data info": ({"path": "events.csv"}, {}),
    "data split": (
        {"path": "events.csv", "--name": "new"},
        {
            **NEW,
            "--test": ABSENT,
            "--validation": Wrong(ABSENT.values, {"--test": "truth.csv"}),
            "--n": COUNT,
            "--test-share": Wrong(SHARE.values, {"--method": "random"}),
            "--validation-share": Wrong(("1", "-0.1", "nan", "inf"), {"--method": "random"}),
            "--validation-n": Wrong(("-1", "1.5")),
            "--ties": NAME,
            "--min-rating": Wrong(("nan", "99")),
            "--k-core": Wrong(("0", "-1", "99")),
        },
    ),
    "data fetch": ({"name": "ml-100k"}, {"name": NAME, "--folder": Wrong(("events.csv",))}),
    "data sql": (
        {"name": "item_popularity", **_DATA},
        {"--param": Wrong(("nosuch=1", "at_least")), "--dialect": Wrong(("nosuch",), {"--data": ...})},
    ),
    "data convert": (
        {"path": "events.csv", "target": "copy.csv"},
        {"target": Wrong(("copy.xyz", "events.csv/below.csv"))},
    ),
    "models list": ({}, {}),
    "models show": ({"name": "ease"}, {}),
    "pipeline rerankers": ({}, {}),
    "pipeline fit": (
        {"config": "pipeline.toml", **_DATA, "--name": "new"},
        {**NEW, **_TRACK, "--split": Wrong(("nosuch",), {"--data": ...})},
    ),
    "pipeline recommend": ({"pipeline": "p"}, _REQUEST),
    "pipeline trace": (
        {"pipeline": "p", "user": "1"},
        {
            "user": NAME,
            "--item": NAME,
            **{name: Wrong(wrong.values, {"--history": "train.csv"}) for name, wrong in _OF_HISTORY.items()},
        },
    ),
    "pipeline evaluate": (
        {"pipeline": "p", "--split": "s", "--requests": "0"},
        {
            "--requests": Wrong(("-1", "1.5")),
            "--truth": Wrong(("nosuch.csv",), {"--split": ..., "--train": "train.csv"}),
            "--train": Wrong(("nosuch.csv",), {"--split": ..., "--truth": "truth.csv"}),
        },
    ),
    "pipeline diagram": (
        {"pipeline": "p"},
        {
            "--users": COUNT,
            "--data": Wrong(("nosuch.csv",), {"pipeline": "pipeline.toml"}),
            "--split": Wrong(("nosuch",), {"pipeline": "pipeline.toml"}),
        },
    ),
    "knowledge ask": (_ASK, {**_SHOP, "--prefer": Wrong(("nosuch low", "price sideways"))}),
    "knowledge relax": ({**_ASK, "--require": ["price < 5"]}, _SHOP),
    "knowledge critique": (
        {"item": "1", "critique": "cheaper", **_ASK},
        {**_SHOP, "--prefer": Wrong(("nosuch low", "price sideways")), "item": NAME, "critique": NAME},
    ),
    "knowledge columns": (_ASK, _MODEL),
    "audit run": ({"config": "audit.toml"}, {"--workspace": Wrong(("events.csv",))}),
    "audit plan": (
        {"config": "audit.toml"},
        {
            "--mean": Wrong(("0", "-1", "nan")),
            "--spread": Wrong(("0", "-1", "nan")),
            "--declared": FILE,
            "--workspace": Wrong(("events.csv",)),
        },
    ),
    "audit compare": (
        {"before": "a1", "after": "a2"},
        {"before": NAME, "after": NAME, "--report": Wrong(("events.csv/below",))},
    ),
    "audit demo": (_DATA, NEW),
    "explore demo": (
        {"--data": "plots.csv", "--ratings": "events.csv", "--map": "pca"},
        {**NEW, "--data": ABSENT, "--ratings": ABSENT, "--map": NAME},
    ),
    "explore embed": (
        {"name": "fresh", "--texts": "plots.csv", "--text": ["plot"]},
        {
            "name": ARTEFACT,
            "--texts": ABSENT,
            "--text": NAME,
            "--encoder": Wrong(("nosuch:x", "nosuch")),
            "--cache": Wrong(("cache",)),
            "--model": Wrong(("nosuch",), {"--texts": ..., "--text": ...}),
            "--vectors": Wrong(("nosuch.npy", "nosuch.csv"), {"--texts": ..., "--text": ...}),
            "--ids": Wrong(("nosuch.parquet",), {"--texts": ..., "--text": ..., "--vectors": "plots.npy"}),
            "--vector-column": Wrong(("nosuch",), {"--texts": ..., "--text": ..., "--vectors": "vectors.parquet"}),
            "--tensor": Wrong(("nosuch",), {"--texts": ..., "--text": ..., "--vectors": "plots.safetensors"}),
            "--invalid": NAME,
            "--id-column": NAME,
            "--dimension": COUNT,
            "--entity": NAME,
            "--workspace": Wrong(("events.csv",)),
        },
    ),
    "explore index": (
        {"space": "plots"},
        {"space": NAME, "--recall": Wrong(("0", "1.5", "nan")), "--again": FREE},
    ),
    "explore map": (
        {"space": "plots"},
        {
            "space": NAME,
            "--exploration": NAME,
            "--beside": NAME,
            "--other": NAME,
            "--map": NAME,
            "--page": FILE,
            "--picture": FILE,
            "--atlas": FILE,
        },
    ),
    "explore move": (
        {"source": "plots", "--to": "local:moved"},
        {"source": NAME, "--to": Wrong(("nosuch:x", "nosuch")), "--again": FREE},
    ),
    "explore report": (
        {"space": "plots", "lists": "lists.csv", "--truth": "truth.csv", "--train": "train.csv"},
        {
            "space": NAME,
            "lists": ABSENT,
            "--demand": NAME,
            "--store": Wrong(("nosuch:x", "nosuch")),
            "--before": NAME,
            "--map": NAME,
            "--label": NAME,
            "--category": NAME,
            "--price": Wrong(("nosuch", "plot")),
            "--gate": TOML,
        },
    ),
    "explore search": (
        {"space": "plots", "--like": ["1"]},
        {
            "space": NAME,
            "--text": Wrong(("nosuch",), {"--like": ...}),
            "--like": NAME,
            "--k": COUNT,
            "--where": Wrong(("nosuch", "nosuch=1")),
            "--store": Wrong(("nosuch:x", "nosuch")),
        },
    ),
    "experiment plan": (
        {"source": "plan.toml"},
        {
            "--history": ABSENT,
            "--exposures": Wrong(ABSENT.values, {"source": "exposed.toml"}),
            "--workspace": Wrong(("events.csv",), {"--keep": "fresh"}),
            "--out": Wrong(("events.csv/below",)),
        },
    ),
    "experiment size": (
        {"--mean": "0.2", "--effect": "0.1"},
        {
            "--mean": Wrong(("0", "-1", "1.5", "nan", "inf")),
            "--kind": NAME,
            "--sd": Wrong(POSITIVE.values, {"--kind": "mean"}),
            "--effect": Wrong(("0", "-2", "nan", "inf")),
            "--n": Wrong(POSITIVE.values, {"--effect": ...}),
            "--margin": Wrong(POSITIVE.values, {"--effect": ...}),
            "--equivalence": FREE,
            "--arms": Wrong(("1", "0", "-1")),
            "--treated": SHARE,
            "--r2": Wrong(("1", "-0.1", "nan")),
            "--icc": Wrong(("1.5", "-0.1", "nan"), {"--cluster-size": "5"}),
            "--cluster-size": Wrong(("0", "-1", "nan")),
            "--cluster-cv": Wrong(("-0.1", "nan"), {"--cluster-size": "5"}),
            "--looks": Wrong(("0", "-3")),
            "--spending": Wrong(NAME.values, {"--looks": "3"}),
            "--correction": Wrong(NAME.values, {"--arms": "3"}),
            "--daily": POSITIVE,
            "--formula": NAME,
        },
    ),
    "experiment assign": ({"source": "plan.toml", "units": "units.csv"}, {"--sql": FREE}),
    "experiment check": ({"source": "plan.toml", "units": "units.csv"}, {"--other": TOML}),
    "experiment aa": ({"plan": "plan.toml", "data": "units.csv", "--splits": "50"}, {**OWN, "--splits": COUNT}),
    "experiment read": (
        {"plan": "plan.toml", "data": "units.csv"},
        {
            **_TRACK,
            "--arm": NAME,
            "--no-ids": FREE,
            "--aggregated": FREE,
            "--events": FREE,
            "--time": Wrong(("nosuch",), {"--events": None}),
            "--start": Wrong(("nosuch",), {"--events": None}),
            "--day": NAME,
            "--exposures": Wrong(ABSENT.values, {"plan": "exposed.toml"}),
            "--catalogue": Wrong(ABSENT.values, {"plan": "exposed.toml", "--exposures": "log.csv"}),
            "--table": NAME,
            "--engine": NAME,
            "--counts": NAME,
            "--event-id": Wrong(("nosuch",), {"--events": None}),
            "--drop-duplicates": FREE,
            "--triggered": NAME,
            "--planned-units": POSITIVE,
            "--looks-taken": Wrong(("0", "-1", "2", "nan"), {"plan": "looks.toml"}),
            "--stratify": NAME,
            "--intervals": NAME,
            "--bayes": FREE,
            "--drop-two-arms": FREE,
            "--drop-unknown-arms": FREE,
            "--workspace": Wrong(("events.csv",), {"--keep": "fresh"}),
            "--out": Wrong(("events.csv/below",)),
        },
    ),
    "experiment simulate": (
        _WORLD,
        {
            "--training": NAME,
            "--truth": Wrong(("-1", "1.5")),
            "--logs": Wrong(("folder", "events.csv")),
            "config": Wrong(TOML.values, {"--size": ...}),
        },
    ),
    "experiment correlate": (_WORLD, {"--truth": COUNT}),
    "experiment interference": (
        _WORLD,
        {
            "--worlds": COUNT,
            "--truth": COUNT,
            "--design": NAME,
            "--metric": NAME,
            "config": Wrong(TOML.values, {"--size": ...}),
        },
    ),
    "experiment holdout": (
        {"--users": "5000", "--mean": "10", "--sd": "20"},
        {
            "--users": COUNT,
            "--share": SHARE,
            "--mean": Wrong(("0", "nan", "inf")),
            "--sd": POSITIVE,
            "--correlation": Wrong(("-1.5", "1.5", "nan")),
            "--lift": Wrong(("nan", "inf", "-2")),
            "--months": COUNT,
            "--attrition": Wrong(("-0.1", "1", "nan")),
            "--world": TOML,
            "--short": Wrong(COUNT.values, _WORLD),
            "--long": Wrong(COUNT.values, _WORLD),
            "--metric": Wrong(NAME.values, _WORLD),
            "--control": Wrong(NAME.values, _WORLD),
            "--treatment": Wrong(NAME.values, _WORLD),
        },
    ),
    "experiment realism": (
        {"data": "events.csv"},
        {
            "--factors": COUNT,
            "--impressions": ABSENT,
            "--order": FREE,
            "--past-test": Wrong(
                ("nosuch", "nosuch:popular:0:1", "ease:nosuch:0:1", "ease:popular:1:0", "ease:popular:nan:1")
            ),
        },
    ),
    "experiment verdicts": (
        _WORLD,
        {"--truth": COUNT, "--lists": COUNT, "--looks": COUNT, "--click-rate": SHARE},
    ),
    "experiment off-policy": (
        {"log": "log.csv", "target": "target.csv"},
        {
            "log": ABSENT,
            "target": ABSENT,
            "--behavior": Wrong(("nosuch",), {"log": "obd"}),
            "--campaign": Wrong(("nosuch",), {"log": "obd"}),
            "--reward": NAME,
        },
    ),
    "metrics list": ({}, {}),
    "metrics show": ({"name": "ndcg"}, {}),
    "metrics conventions": ({}, {}),
    "workspace list": ({}, {}),
    "workspace show": ({"kind": "model", "name": "m"}, {}),
    "workspace remove": ({"kind": "model", "name": "m"}, {}),
    "workspace restore": ({"kind": "model", "name": "gone"}, {}),
    "workspace trash": ({}, {}),
    "workspace empty-trash": ({"kind": "model"}, {"--days": Wrong(("-1", "nan", "x"))}),
    "workspace clean": ({}, {}),
    "workspace sql": (
        {"query": "SELECT 1"},
        {"query": Wrong(("SELECT * FROM nosuch", "nosuch")), "--limit": COUNT, "--seconds": Wrong(("0", "-1", "nan"))},
    ),
    "export tableau": ({"--out": "tableau"}, {"--out": Wrong(("events.csv",))}),
    "export looker": (
        {"--out": "looker"},
        {
            "--out": Wrong(("events.csv",)),
            "--connection": FREE,
            "--schema": FREE,
            "--database": Wrong(("folder", "events.csv/below.duckdb")),
        },
    ),
    "monitor init": (
        {"folder": "watch", "--log": "train.csv"},
        {"folder": Wrong(("events.csv",)), "--log": FREE, "--system": FREE, "--dbt": FREE, **_NO_FOLDER},
    ),
    "monitor run": ({"--date": "2026-01-05"}, {"--date": DAY, "--dry-run": FREE, **_WATCHED, **_WAIT, **_TRACK}),
    "monitor backfill": (_SPAN, {"--from": DAY, "--to": Wrong((*DAY.values, "2025-01-01")), **_WATCHED, **_WAIT}),
    "monitor replay": (_SPAN, {"--from": DAY, "--to": Wrong((*DAY.values, "2025-01-01")), **_WATCHED}),
    "monitor report": ({"--week": "2026-01-05"}, {"--week": Wrong((*DAY.values, "2025-01-01")), **_WATCHED, **_TRACK}),
    "monitor check": (
        {"--date": "2026-01-05"},
        {"--date": DAY, "--failed": FREE, "--log": Wrong(("http://h/log",)), "--dry-run": FREE, **_WATCHED},
    ),
    "monitor annotate": (
        {"text": "ranker 2.4", "--kind": "deploy", "--from": "2026-01-05"},
        {
            "text": FREE,
            "--kind": NAME,
            "--from": DAY,
            "--to": Wrong((*DAY.values, "2025-01-01")),
            "--of": NAME,
            "--suppress": FREE,
            "--by": FREE,
            "--remove": NAME,
            **_WATCHED,
        },
    ),
    "monitor learn": (_LEARNED, {"--from": DAY, "--to": DAY, "--accept": FREE, **_WATCHED, **_UNNAMED}),
    "monitor incidents list": ({}, {"--status": NAME, **_WATCHED}),
    "monitor incidents show": ({"id": _INCIDENT}, {"id": NAME, **_WATCHED}),
    "monitor incidents ack": ({"id": _INCIDENT}, {"id": NAME, "--by": FREE, "--note": FREE, **_WATCHED}),
    "monitor incidents resolve": ({"id": _INCIDENT}, {"id": NAME, "--by": FREE, "--note": FREE, **_WATCHED}),
    "monitor incidents snooze": (
        {"id": _INCIDENT},
        {"id": NAME, "--until": DAY, "--by": FREE, "--note": FREE, **_WATCHED},
    ),
    "monitor chaos": (
        {"--seeds": "1", "--kind": "null_feature", "--strength": "strong"},
        {
            "--seeds": COUNT,
            "--first-seed": Wrong(("-1", "x")),
            "--kind": NAME,
            "--strength": NAME,
            "--results": Wrong(("events.csv",)),
        },
    ),
    "monitor sql": (
        {"mart": "latency", "log": "shown"},
        {"mart": NAME, "log": Wrong(("postgres:",)), "--dialect": NAME, "--day": DAY},
    ),
    "monitor demo": ({}, NEW),
    "learn list": ({}, NEW),
    "learn next": ({}, NEW),
    "learn start": ({"exercise": "1.1"}, {"exercise": NAME, **NEW}),
    "learn check": ({"exercise": "1.1"}, {"exercise": NAME, "--watch": FREE}),
    "learn drill": ({"name": "1.b"}, {"name": NAME, **NEW}),
    "learn hint": ({"exercise": "1.1"}, {"exercise": NAME, **NEW}),
    "learn reset": ({"exercise": "1.1"}, {"exercise": NAME, **NEW}),
    "learn solution": ({"exercise": "1.1"}, {"exercise": NAME}),
    "learn export": ({}, {}),
    "learn verify": ({"file": "learn.json"}, {"file": ABSENT}),
    "learn lesson": ({"code": "2.c"}, {"code": NAME, **NEW}),
    "learn glossary": ({}, {"term": FREE}),
    "learn quiz": ({"--answers": "-" * 15}, {"--answers": Wrong(("x", "ab")), **NEW}),
    "learn page": ({}, NEW),
    "learn interview": (
        {"name": "winning_test", "--answers": "novelty,lift_by_week,do_not_ship"},
        {"name": NAME, "--answers": NAME, **NEW},
    ),
    "portfolio build": (
        {"--projects": "audit,explorer,experiment"},
        {"--projects": Wrong(("audit", "nosuch,audit,monitor")), "--out": Wrong(("events.csv",))},
    ),
    "portfolio verify": ({"folder": "portfolio"}, {"folder": ABSENT}),
}
"""A valid call of each command, and what its options refuse."""


@cache
def commands() -> tuple[tuple[str, list[str], list[str]], ...]:
    """Each command of the application with the names of its arguments, and of its options."""

    def below(command: Any, path: str) -> Iterator[tuple[str, list[str], list[str]]]:
        for name, each in getattr(command, "commands", {}).items():
            yield from below(each, f"{path} {name}".strip())
        if not hasattr(command, "commands"):
            known = [each for each in command.params if each.name != "help"]
            yield (
                path,
                [each.name for each in known if each.param_type_name == "argument"],
                [each.opts[0] for each in known if each.param_type_name == "option"],
            )

    return tuple(below(typer.main.get_command(app), ""))


def helps() -> Iterator[tuple[str, str]]:
    """Each help text of the application, of commands, groups and their parameters, and where it stands."""

    def below(command: Any, path: str) -> Iterator[tuple[str, str]]:
        yield path, command.help or ""
        for each in command.params:
            yield f"{path} {each.name}", getattr(each, "help", None) or ""
        for name, each in getattr(command, "commands", {}).items():
            yield from below(each, f"{path} {name}".strip())

    return below(typer.main.get_command(app), "reclens")


def words(command: str, call: Call) -> list[str]:
    """A call as it is typed."""
    arguments = next(arguments for path, arguments, _ in commands() if path == command)
    typed = command.split()
    for name in [*arguments, *(each for each in call if each.startswith("-"))]:
        if name not in call or call[name] is ...:
            continue
        values = call[name] if isinstance(call[name], list) else [call[name]]
        for value in values:
            typed += [*([name] if name.startswith("-") else []), *([] if value is None else [str(value)])]
    return typed
