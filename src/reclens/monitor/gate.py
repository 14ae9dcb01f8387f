"""The data gate: whether the log of a day can be trusted, before anything is computed from it."""

from __future__ import annotations

from collections.abc import Sequence

from reclens.monitor.records import CheckState, DataCheck

__all__ = ["state_of"]


def state_of(checks: Sequence[DataCheck]) -> CheckState:
    """The state of a gate: that of its gravest blocking check; ``not_evaluated`` on a day without rows."""
    blocking = [each for each in checks if each.blocking]
    if any(each.state == "errored" for each in blocking):
        return "errored"
    if any(each.code == "rows" and each.rows == 0 and each.state != "passed" for each in checks):
        return "not_evaluated"
    return "failed" if any(each.state == "failed" for each in blocking) else "passed"
