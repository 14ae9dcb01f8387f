"""Great Expectations as the engine of the data gate: ``great_expectations:FOLDER``.

DuckDB reduces a day to one row, the profile, and Great Expectations validates it with a suite that is defined in code.
Its Data Docs are kept in ``FOLDER/gx/uncommitted/data_docs/local_site``, one page per day. Usage statistics of the
library are disabled.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import polars as pl

from reclens.engine import need
from reclens.errors import DataError, UnknownNameError
from reclens.monitor.gate_profile import PROFILE, Bound, Measure, bounds_of, profile_of
from reclens.monitor.row_checks import DuckGate
from reclens.monitor.settings import GateSettings
from reclens.protocols import CheckState, GateCheck

__all__ = ["DOCS", "GreatExpectationsGate", "connect"]

DOCS: Final = Path("gx", "uncommitted", "data_docs", "local_site", "index.html")
"""The first page of the Data Docs, below the folder of the gate."""

_IMPRESSIONS: Final = "impressions"
_DAY: Final = "day"


def _library() -> Any:
    """Great Expectations, imported without Spark.

    It imports what it can of Spark. ``pyspark-client``, which the extra ``spark`` brings, has no Spark of its own, and
    ends the process where that is looked for. Nothing here runs on Spark.
    """
    hidden = [name for name in ("pyspark", "pyspark.ml") if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # an import then raises ImportError
    try:
        return need("great_expectations", extra="gx")
    finally:
        for name in hidden:
            del sys.modules[name]


def connect(rest: str) -> GreatExpectationsGate:
    """The gate whose Data Docs are in a folder; by default the working folder.

    Raises:
        MissingExtraError: If Great Expectations is not installed.
    """
    return GreatExpectationsGate(rest or ".")


class GreatExpectationsGate:
    """Validates the profile of a day, or of any frame of impressions.

    Args:
        folder: Parent folder of ``gx`` with the suite, results and Data Docs; None keeps nothing.
        settings: The bounds.

    Raises:
        MissingExtraError: If Great Expectations is not installed.
    """

    def __init__(self, folder: str | Path | None = None, settings: GateSettings | None = None) -> None:
        os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
        _library()
        self.folder = None if folder is None else Path(folder)
        self.settings = GateSettings() if settings is None else settings
        self._opened: Any = None

    def check(self, table: pl.DataFrame, *, name: str) -> Sequence[GateCheck]:
        """Check a profile (``name="profile"``) or impressions; see :meth:`reclens.protocols.Gate.check`.

        Raises:
            UnknownNameError: If there are no checks of that name.
            DataError: If the profile does not have exactly one row.
        """
        if name == _IMPRESSIONS:
            measured = DuckGate(self.settings).check(table, name=name)
            judged = self.check(profile_of(map(_measure, measured)), name=PROFILE)
            return [
                GateCheck(
                    code=one.code,
                    state=each.state,
                    column=one.column,
                    failed_rows=one.failed_rows,
                    rows=one.rows,
                    problem=each.problem,
                )
                for one, each in zip(measured, judged, strict=True)
            ]
        if name != PROFILE:
            raise UnknownNameError("table of checks", name, [_IMPRESSIONS, PROFILE])
        if table.height != 1:
            raise DataError(f"the profile has {table.height:,} rows, expected 1", source=PROFILE)
        return self._judged(table)

    def _judged(self, profile: pl.DataFrame) -> list[GateCheck]:
        import pandas as pd

        given = profile[_DAY].item() if _DAY in profile.columns else None
        row = profile.drop(_DAY, strict=False)
        # A null is what Great Expectations calls missing; None in a column of objects would be a value of no number.
        frame = pd.DataFrame({name: [float("nan") if row[name][0] is None else row[name][0]] for name in row.columns})
        results = self._validated(frame, self._suite(row.columns), given)
        found = {each.expectation_config.kwargs["column"]: each for each in results}
        return [_check_of(name, found[name]) for name in row.columns]

    def _suite(self, columns: Sequence[str]) -> Any:
        """The suite of a profile: one expectation per number, with its bound."""
        gx = _library()
        bounds = bounds_of(self.settings)
        expectations: list[Any] = []
        for name in columns:
            code = _split(name)[0]
            bound = bounds.get(code, Bound(high=0.0))
            expectations.append(
                gx.expectations.ExpectColumnValuesToBeBetween(
                    column=name,
                    min_value=bound.low,
                    max_value=bound.high,
                    severity="critical" if code in self.settings.blocking else "warning",
                    meta={"code": code},
                )
            )
        return gx.ExpectationSuite(name=PROFILE, expectations=expectations)

    def _validated(self, frame: Any, suite: Any, day: date | None) -> Sequence[Any]:
        """The results of a suite; if a day is given, they are kept and its page is built."""
        gx = _library()
        context, batches = self._context()
        if self.folder is None or day is None:
            return batches.get_batch({"dataframe": frame}).validate(suite, result_format="SUMMARY").results
        checked = context.validation_definitions.add_or_update(
            gx.ValidationDefinition(name=PROFILE, data=batches, suite=context.suites.add_or_update(suite))
        )
        checkpoint = context.checkpoints.add_or_update(
            gx.Checkpoint(
                name=PROFILE,
                validation_definitions=[checked],
                actions=[gx.checkpoint.UpdateDataDocsAction(name="data docs")],
                result_format="SUMMARY",
            )
        )
        # The name of a run that is a date is its time too: a day that is run again has one page.
        run = gx.RunIdentifier(run_name=day.isoformat())
        done = checkpoint.run(batch_parameters={"dataframe": frame}, run_id=run)
        [found] = done.run_results.values()
        return found.results

    def _context(self) -> tuple[Any, Any]:
        """The context and its batch definition, created once."""
        if self._opened is None:
            gx = _library()
            if self.folder is None:
                context = gx.get_context(mode="ephemeral")
            else:
                context = gx.get_context(mode="file", project_root_dir=str(self.folder))
            context.variables.progress_bars = {"globally": False}
            asset = context.data_sources.add_or_update_pandas("reclens").add_dataframe_asset(PROFILE)
            self._opened = context, asset.add_batch_definition_whole_dataframe(_DAY)
        return self._opened


def _split(name: str) -> tuple[str, str | None]:
    """The code and the column that a column of the profile is named after."""
    code, _, column = name.rstrip("'").partition(" ")
    return code, column or None


def _measure(check: GateCheck) -> Measure:
    """The measure of a row check."""
    if check.state == "errored":
        return Measure(check.code, check.column, check.problem or check.state)
    if check.state == "not_evaluated":
        return Measure(check.code, check.column, None)
    if check.code == "rows":
        return Measure(check.code, None, float(check.rows))
    if check.failed_rows is None:
        return Measure(check.code, check.column, float(check.state == "failed"))
    return Measure(check.code, check.column, check.failed_rows / check.rows)


def _check_of(name: str, result: Any) -> GateCheck:
    """A result of Great Expectations: what broke inside is not raised there, and every missing value passes there."""
    code, column = _split(name)
    state: CheckState = "passed" if result.success else "failed"
    problem: str | None = None
    broken = [each for each in _exceptions(result.exception_info) if each.get("raised_exception")]
    if broken:
        state, problem = "errored", str(broken[0].get("exception_message"))
    elif result.result["missing_count"] == result.result["element_count"]:
        state = "not_evaluated"
    return GateCheck(code=code, state=state, column=column, rows=1, problem=problem)


def _exceptions(info: Any) -> list[Any]:
    """Exceptions of the expectation or of its metrics."""
    return [info] if "raised_exception" in info else list(info.values())
