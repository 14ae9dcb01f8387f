"""The error tree: one root, a standard kind each, and errors that survive a pickle."""

from __future__ import annotations

import inspect
import pickle

import pytest

from reclens import errors
from reclens.errors import RecLensError

STANDARD = {
    "DataError": ValueError,
    "UnmatchedIdsError": ValueError,
    "UsageError": ValueError,
    "ArgumentTypeError": TypeError,
    "ArgumentValueError": ValueError,
    "ArgumentValuesError": ValueError,
    "UnknownNameError": ValueError,
    "NotEnoughMemoryError": MemoryError,
    "ProtocolError": ValueError,
    "LeakError": ValueError,
    "IncomparableError": ValueError,
    "NotFittedError": RuntimeError,
    "MissingExtraError": ImportError,
    "WorkspaceError": OSError,
    "NameTakenError": FileExistsError,
    "StoreError": ConnectionError,
}
KINDS = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, RecLensError)}
EXAMPLES = [
    errors.DataError("the id is null", source="log.csv", column="user_id", row=7, fix="Drop it."),
    errors.UnmatchedIdsError(
        "no id fits", column="user_id", sides=("a", "b"), cause="zeros", examples=([1], ["01"]), mended=1, of=1, fix="."
    ),
    errors.UsageError("k is 0, expected 1 or more."),
    errors.ArgumentTypeError("k", "ten", expected="a whole number", fix="Write k=10."),
    errors.ArgumentValueError("l2", "is 0, expected more", of="model"),
    errors.ArgumentValuesError({"low": 2, "high": 1}, "{low} below {high}"),
    errors.UnknownNameError("metric", "ncdg", ["ndcg", "map"]),
    errors.NotEnoughMemoryError("the matrix", 10**12, 10**9, "Take fewer."),
    errors.WorkspaceError("there is none."),
    errors.NameTakenError("it is there."),
    errors.StoreError("no answer.", code="down"),
    errors.MissingExtraError("install it."),
    errors.NotFittedError("fit it."),
    errors.LeakError("it leaked."),
]


def test_every_error_is_also_a_standard_one() -> None:
    assert set(KINDS) == {"RecLensError", *STANDARD}
    assert all(issubclass(KINDS[name], kind) for name, kind in STANDARD.items())
    assert all(name in (errors.__doc__ or "") for name in KINDS)
    # A call of the wrong type is still a wrong call.
    assert issubclass(errors.ArgumentTypeError, errors.UsageError)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_errors_survive_a_pickle(error: RecLensError) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert str(back) == str(error) and back.args == error.args and vars(back) == vars(error)


def test_a_wrong_type_is_named() -> None:
    with pytest.raises(TypeError, match=r"^k is a str, expected a whole number\. Write k=10\.$") as found:
        errors.expect_type("k", "10", int, expected="a whole number", fix="Write k=10.")
    assert isinstance(found.value, errors.UsageError) and found.value.seen == "str"
    with pytest.raises(errors.ArgumentTypeError, match="k is a bool"):
        errors.expect_type("k", True, int, expected="a whole number")
    errors.expect_type("flag", True, bool, expected="true or false")
