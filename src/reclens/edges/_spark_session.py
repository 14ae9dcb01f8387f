"""Sessions of Spark: how one is made, how its work is watched and cancelled, and what its errors mean."""

from __future__ import annotations

import importlib
import os
import re
import sys
import threading
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any, Final

from reclens.edges._services import problem_of
from reclens.engine import Progress, need
from reclens.errors import DataError, MissingExtraError, RecLensError, StoreError, UsageError, first_line

__all__ = ["check_version", "is_lost", "no_table", "spark_session", "translated", "watched"]

_OLDEST: Final = (4, 0)
_SHIP: Final = (
    "Executors need reclens, and pyarrow: install it in the environment of the cluster, or ship one with "
    "spark.archives and venv-pack (Spark Connect: session.addArtifacts('env.tar.gz#environment', archive=True) and "
    "spark.sql.execution.pyspark.python=environment/bin/python)."
)

_ABSENT: Final = ("TABLE_OR_VIEW_NOT_FOUND", "PATH_NOT_FOUND")
"""Conditions of Spark that say that there is no table, or no folder, of a name."""
_BRACKETED: Final = re.compile(r"\[([A-Z][A-Z0-9_]+)[A-Z0-9_.]*\]\s*")
_ABSENT_MODULE: Final = re.compile(r"ModuleNotFoundError: No module named '(\w+)")
_DETAILS: Final = re.compile(r'details = "(.*)"')

_REMOTE: Final[dict[str, Any]] = {}
"""Address -> the session that was opened there."""


def spark_session(address: str = "") -> Any:
    """The session of an address: ``sc://host:port``, a master such as ``local[2]``, or the active one for "".

    Raises:
        MissingExtraError: If pyspark, or Java for a session of this process, is not installed, or pyspark is too old.
        UsageError: If there is no active session.
        StoreError: If the server does not answer.
    """
    check_version()
    sql: Any = need("pyspark.sql", extra="spark")
    if not address:
        active = sql.SparkSession.getActiveSession()
        if active is None:
            raise UsageError("no session of Spark is open. Name one, as spark:local[2] or sc://host:port.")
        return active
    with translated():
        if address.startswith("sc://"):
            # Not getOrCreate(), which gives the active session, whatever its address.
            if address not in _REMOTE or _REMOTE[address].is_stopped:
                _REMOTE[address] = _connected(sql.SparkSession.builder.remote(address).create())
            return _REMOTE[address]
        # Workers start the python3 of PATH unless they are told, and drivers listen on all addresses.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        settings = {
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.ui.enabled": "false",
        }
        builder = sql.SparkSession.builder.appName("reclens").master(address)
        for name, value in settings.items() if address.startswith("local") else ():
            builder = builder.config(name, value)
        return builder.getOrCreate()


def _connected(session: Any) -> Any:
    """A session of Spark Connect whose server answers; one that is gone is given up within a minute, not after ten."""
    policy = importlib.import_module("pyspark.sql.connect.client.retries").DefaultPolicy
    session.client.set_retry_policies([policy(max_retries=4)])
    try:
        session.version  # noqa: B018 - the first question to the server
    except Exception:
        session.client.set_retry_policies([])  # at its end Python asks again
        raise
    session.client.set_retry_policies([policy(max_retries=10, max_backoff=5_000)])
    return session


def check_version() -> None:
    """Refuse a pyspark that lacks Arrow tables of the driver.

    Raises:
        MissingExtraError: If there is none, or an older one than 4.0.
    """
    found = str(need("pyspark", extra="spark").__version__)
    numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
    if numbers < _OLDEST:
        raise MissingExtraError(
            f"pyspark {found} is installed, and 4.0 or newer is needed. Run: pip install 'pyspark>=4', or "
            "'pyspark-client>=4' in its place; the two do not stand beside each other."
        )


@contextmanager
def translated(table: str | None = None) -> Generator[None]:
    """Errors of Spark as errors of RecLens, where it is known what to do about them.

    Args:
        table: The table that is opened.
    """
    try:
        yield
    except RecLensError:
        raise
    except Exception as error:
        known = _known(error, table)
        if known is None:
            raise
        raise known from error


def _known(error: Exception, table: str | None) -> RecLensError | None:
    condition, first = _condition(error), _first_line(error)
    if condition in _ABSENT:
        return no_table(table or _name_in(error) or "Spark")
    if condition == "JAVA_GATEWAY_EXITED":
        return MissingExtraError(
            "a session of Spark in this process needs Java, which was not found, or is too old. Install OpenJDK 17 "
            "(Debian: apt-get install openjdk-17-jre-headless) or set JAVA_HOME. Without Java: pip install pysail, "
            "sail spark server, and sc://127.0.0.1:50051."
        )
    if condition == "CONNECT_URL_NOT_SET" or isinstance(error, ImportError):
        return MissingExtraError(f"pyspark lacks what this address needs: {first}. Run: pip install pyspark")
    if condition == "INVALID_CONNECT_URL":
        return UsageError(f"the address is none of Spark Connect: {first}. Expected sc://HOST:PORT.")
    if problem_of(error) == "wrong_key":
        fix = "Set SPARK_CONNECT_AUTHENTICATE_TOKEN, and see what its owner may do."
        return StoreError(f"Spark refused the credentials: {first}. {fix}", code="wrong_key")
    if is_lost(error):
        return StoreError(
            f"the connection to Spark was lost or refused, and nothing was kept: {first}. Is the server up?",
            code="down",
        )
    # Of an error in a task, the text of its traceback is all that comes back.
    if absent := _ABSENT_MODULE.search(str(error)):
        return MissingExtraError(f"an executor could not import {absent[1]}. {_SHIP}")
    return None


def _condition(error: BaseException) -> str:
    """The condition of an error of Spark, without its part: TABLE_OR_VIEW_NOT_FOUND, PATH_NOT_FOUND."""
    found = None
    with suppress(Exception):  # a JVM that is gone is asked
        found = error.getCondition()  # pyright: ignore[reportAttributeAccessIssue]
    if found is None and "AnalysisException" in _kinds(error):
        # Sail 0.7 sends no condition beside its message, which has it within brackets.
        bracketed = _BRACKETED.search(str(error))
        found = bracketed and bracketed[1]
    return (found or "").partition(".")[0]


def _name_in(error: Exception) -> str | None:
    """The table, or the path, that an error names."""
    with suppress(Exception):
        named = error.getMessageParameters() or {}  # pyright: ignore[reportAttributeAccessIssue]
        return named.get("relationName") or named.get("path")
    return None


def _first_line(error: Exception) -> str:
    """What an error says in one line: of one of gRPC, its details."""
    said = str(error)
    details = _DETAILS.search(said)
    return _BRACKETED.sub("", details[1] if details else first_line(error))[:300].rstrip(".")


def _kinds(error: BaseException) -> list[str]:
    return [kind.__name__ for kind in type(error).__mro__]


def no_table(name: str) -> DataError:
    """The error of a table that is not there."""
    fix = "Name a table of the catalogue, or the path of a Parquet folder."
    return DataError("there is no such table", source=name, fix=fix)


def is_lost(error: BaseException) -> bool:
    """Whether an error is that of a connection, or of a session that its server does not know any more."""
    return problem_of(error) == "down" or _condition(error) == "INVALID_HANDLE"


@contextmanager
def watched(session: Any, what: str, progress: Progress) -> Generator[None]:
    """Report how far the jobs of a block are, from Spark's own tracker; an error in the block cancels them."""
    tag = f"reclens-{uuid.uuid4().hex[:12]}"
    watch = _watch_connect if _is_connect(session) else _watch_classic
    with translated(), watch(session, tag, what, progress) as cancel:
        try:
            yield
        except BaseException as error:
            if not is_lost(error):  # a server that is gone would be asked again and again
                with suppress(Exception):
                    cancel()
            raise


def _is_connect(session: Any) -> bool:
    return type(session).__module__.startswith("pyspark.sql.connect")


@contextmanager
def _watch_connect(session: Any, tag: str, what: str, progress: Progress) -> Generator[Callable[[], Any]]:
    def handler(stages: Any, inflight_tasks: int, operation_id: Any, done: bool) -> None:
        if stages:
            progress(what, sum(each.num_completed_tasks for each in stages), sum(each.num_tasks for each in stages))

    session.addTag(tag)
    session.registerProgressHandler(handler)
    progress(what, 0, 0)
    try:
        yield lambda: session.interruptTag(tag)
    finally:
        session.removeProgressHandler(handler)
        session.removeTag(tag)


@contextmanager
def _watch_classic(session: Any, tag: str, what: str, progress: Progress) -> Generator[Callable[[], Any]]:
    context = session.sparkContext
    context.setJobGroup(tag, what, True)
    tracker, over = context.statusTracker(), threading.Event()

    def poll() -> None:
        while not over.wait(0.5):
            with suppress(Exception):  # a tracker that is gone ends nothing
                jobs = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup(tag)]
                stages = [tracker.getStageInfo(stage) for job in jobs if job for stage in job.stageIds]
                known = [each for each in stages if each]
                progress(what, sum(each.numCompletedTasks for each in known), sum(each.numTasks for each in known))

    progress(what, 0, 0)
    watcher = threading.Thread(target=poll, name=tag, daemon=True)
    watcher.start()
    try:
        yield lambda: context.cancelJobGroup(tag)
    finally:
        over.set()
        watcher.join()
        context.setLocalProperty("spark.jobGroup.id", None)
