"""A public function is a function, and a room is a package, whatever was imported first."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

IMPORTS = {
    "the package": "import reclens",
    "a room": "import reclens.evaluation",
    "a room under a name": "import reclens.tuning as room",
    "a name of a room": "from reclens.evaluation import compare",
    "a function": "from reclens import evaluate; assert callable(evaluate)",
    "a function before its room": "import reclens; reclens.tune; import reclens.tuning",
    "everything": "from reclens import *; assert callable(evaluate)",
    "the split": "import reclens.data.split, reclens; assert reclens.split is reclens.data.split",
}


@pytest.mark.parametrize("first", IMPORTS.values(), ids=IMPORTS)
def test_a_function_is_a_function(first: str) -> None:
    after = (
        "import reclens as rl, inspect\n"
        "from reclens.evaluation import Evaluation, compare\n"
        "functions = (rl.evaluate, rl.compare, rl.tune, rl.read, rl.profile)\n"
        "assert all(inspect.isfunction(each) for each in functions), 'not a function'\n"
        "assert all(inspect.ismodule(each) for each in (rl.models, rl.metrics, rl.report)), 'not a room'\n"
        "assert rl.Evaluation is Evaluation and rl.compare is compare\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", f"{first}\n{after}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_room_is_named_as_a_function() -> None:
    # Python binds a package as an attribute of its parent when it is imported: it would take the function's place.
    import reclens as rl

    functions = [name for name in rl.__all__ if inspect.isroutine(getattr(rl, name))]
    assert not [name for name in functions if f"reclens.{name}" in rl._HOMES.values()]
    assert {"metrics", "by", "train", "rng"} <= set(inspect.signature(rl.evaluate).parameters)
