"""``rl.evaluate(...)`` is the verb and ``reclens.evaluate`` the room, whatever was imported first."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

IMPORTS = {
    "the package": "import reclens",
    "the room": "import reclens.evaluate",
    "the room under a name": "import reclens.evaluate as room",
    "a name of the room": "from reclens.evaluate import compare",
    "the verb": "from reclens import evaluate; assert callable(evaluate)",
    "a name before the room": "import reclens; reclens.compare; import reclens.evaluate",
    "the room before a name": "import reclens.evaluate, reclens; reclens.compare; reclens.Evaluation",
    "everything": "from reclens import *; assert callable(evaluate)",
    "the split": "import reclens.data.split, reclens; assert reclens.split is reclens.data.split",
}


@pytest.mark.parametrize("first", IMPORTS.values(), ids=IMPORTS)
def test_the_verb_and_the_room_are_one(first: str) -> None:
    after = (
        "import reclens as rl, sys\n"
        "from reclens.evaluate import Evaluation, compare\n"
        "assert callable(rl.evaluate) and callable(rl.compare), 'not callable'\n"
        "assert rl.evaluate is sys.modules['reclens.evaluate'], 'two things of one name'\n"
        "assert rl.evaluate.Evaluation is Evaluation is rl.Evaluation\n"
        "assert rl.compare is compare is rl.evaluate.compare\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", f"{first}\n{after}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_verb_shows_its_own_signature() -> None:
    import reclens as rl

    assert {"metrics", "by", "train", "rng"} <= set(inspect.signature(rl.evaluate).parameters)
    assert "metrics" in (inspect.getdoc(rl.evaluate.__wrapped__) or "")
