"""Spark: evaluation of tables where they lie, in classic sessions, over Spark Connect, and on Sail.

Lists, truth, histories and attributes meet by one shuffle on the user; ``mapInArrow`` turns a partition into one row
of sums, and the driver adds. Nothing that grows with the number of users reaches the driver. No SparkContext, no RDD
and no broadcast variable is asked for: Spark Connect has none of them.
"""

from __future__ import annotations

import uuid
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Final

from reclens.audit.measure import AuditMeasures
from reclens.audit.settings import AuditSettings
from reclens.data.warehouse import Warehouse
from reclens.edges._spark_audit import audit_on
from reclens.edges._spark_day import day_on
from reclens.edges._spark_frames import SparkTables, frame_of, is_spark_frame
from reclens.edges._spark_recommend import recommend_on
from reclens.edges._spark_session import check_version, no_table, spark_session, translated, watched
from reclens.edges._spark_work import Question, Work
from reclens.engine import Progress, quiet
from reclens.errors import StoreError
from reclens.evaluation.results import Evaluation
from reclens.models._core.requests import ColdUsers
from reclens.monitor.settings import MonitorSettings
from reclens.monitor.summary import Summary

__all__ = ["Spark", "SparkTables", "connect"]

_ZONE: Final = "spark.sql.session.timeZone"


@dataclass(frozen=True, eq=False, kw_only=True)
class Spark:
    """A session, and how tables are cut in it. A :class:`~reclens.engine.TableEngine`.

    Attributes:
        session: The session; None takes that of the frames.
        partitions: Partitions that the users are cut into; None takes ``spark.sql.shuffle.partitions``.
        values: Folder, as Spark writes it, for the values of each user: Parquet under ``part=users``, written by the
            executors. None keeps none.
    """

    session: Any = None
    partitions: int | None = None
    values: str | None = None

    def table(self, name: str) -> Any:
        """The frame of a table of the session, or of a Parquet path.

        Raises:
            DataError: If there is none.
        """
        session = self.session or spark_session()
        with translated(name):
            frame = session.read.parquet(name) if "/" in name else session.table(name)
            # Spark Connect looks a table up when its columns are asked for. Where there is no folder, Sail finds none.
            if not frame.columns:
                raise no_table(name)
            return frame

    def evaluate(self, recommendations: Any, truth: Any = None, *, progress: Progress, **how: Any) -> Evaluation:
        """As :func:`reclens.evaluate`; tables are frames of Spark, or such that fit in the memory of the driver.

        Args:
            recommendations: A frame ``user_id, item_id`` and ``rank`` or ``score``.
            truth: A frame ``user_id, item_id``, or a split.
            progress: Callback for the progress.
            **how: The other arguments; ``train`` may be a frame of interactions or :class:`SparkTables`.

        Returns:
            The evaluation, without the values of single users.
        """
        check_version()
        session = self.session or _session_of(recommendations, truth, how.get("train"))
        work = Work(engine=replace(self, session=session), progress=progress, asked=Question(**how))
        with watched(session, "evaluate on Spark", progress):
            return work.evaluation(recommendations, truth)

    def audit(
        self,
        recommendations: Any,
        truth: Any = None,
        *,
        settings: AuditSettings,
        train: Any = None,
        users: Any = None,
        items: Any = None,
        name: str | None = None,
        progress: Progress,
    ) -> AuditMeasures:
        """The sums of an audit, as :func:`reclens.audit.run` takes them; tables are as of :meth:`evaluate`.

        Args:
            recommendations: A frame ``user_id, item_id``, and ``rank`` or ``score``.
            truth: A frame ``user_id, item_id``.
            settings: Settings of the audit.
            train: A frame of interactions, :class:`SparkTables` or a data set.
            users: Attributes of users, where ``train`` has none.
            items: Attributes of items, where ``train`` has none.
            name: Name of the system.
            progress: Callback for the progress.

        Returns:
            The sums, without the values of single users.
        """
        check_version()
        session = self.session or _session_of(recommendations, truth, train)
        work = Work(engine=replace(self, session=session), progress=progress, asked=Question(train=train, name=name))
        with watched(session, "audit on Spark", progress):
            return audit_on(work, recommendations, truth, settings, users=users, items=items)

    @contextmanager
    def as_table(self, source: Any) -> Generator[tuple[Warehouse, str]]:
        """A frame as a table of a warehouse, for the queries of a block; an error in the block cancels their jobs."""
        check_version()
        session = self.session or _session_of(source)
        name, zone = f"reclens_{uuid.uuid4().hex}", session.conf.get(_ZONE)
        with watched(session, "sum up an experiment on Spark", quiet):
            frame_of(replace(self, session=session), source, "the experiment").createOrReplaceTempView(name)
            try:
                yield Warehouse(session), name
            except StoreError:  # of a session that is gone nothing is left
                raise
            except BaseException:
                with suppress(Exception):
                    _put_back(session, name, zone)
                raise
            _put_back(session, name, zone)

    def sum_day(
        self,
        source: Any,
        day: date,
        *,
        settings: MonitorSettings,
        bins: Mapping[str, Any],
        catalogue: int | None,
    ) -> Summary:
        """The sums of a day, as :func:`reclens.monitor.sum_day` takes them."""
        check_version()
        session = self.session or _session_of(source)
        with watched(session, "sum up a day on Spark", quiet):
            return day_on(replace(self, session=session), source, day, settings, bins, catalogue)

    def recommend(
        self,
        model: str | Path,
        users: Any,
        *,
        k: int = 10,
        exclude_seen: bool = True,
        exclude: Any = None,
        candidates: Any = None,
        cold_users: ColdUsers = "popular",
    ) -> Any:
        """The lists of a fitted model, made where the users are; equal to those of ``model.recommend``.

        Args:
            model: Folder of the model, by a path that every executor has: one that ``save`` wrote, or ``model/NAME``
                of a workspace. Each Python process of an executor reads it once.
            users: A frame with ``user_id``, or a table that fits in memory.
            k: Length of the lists.
            exclude_seen: Whether items of the user's history are left out.
            exclude: Ids to leave out, for everybody.
            candidates: The only ids that may be shown, to anybody.
            cold_users: As of ``model.recommend``.

        Returns:
            A frame ``user_id, item_id, rank, score``, which is computed when it is written or shown.

        Raises:
            DataError: If there is no whole model, or its ids are of another type.
        """
        check_version()
        engine = replace(self, session=self.session or _session_of(users))
        how = {"k": k, "exclude_seen": exclude_seen, "exclude": exclude, "candidates": candidates}
        return recommend_on(engine, model, users, **how, cold_users=cold_users)


def _put_back(session: Any, view: str, zone: str) -> None:
    session.catalog.dropTempView(view)
    session.conf.set(_ZONE, zone)


def connect(rest: str) -> Spark:
    """The engine of an address: ``spark:local[2]``, ``spark:sc://host:port``, ``spark:`` for that of the frames."""
    return Spark(session=spark_session(rest) if rest else None)


def _session_of(*tables: Any) -> Any:
    for table in tables:
        own: Any = getattr(table, "interactions", None)
        for each in (table, own):
            if is_spark_frame(each):
                return each.sparkSession
    return spark_session()
