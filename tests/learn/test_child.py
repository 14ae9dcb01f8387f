"""Learners' code in its process: what it gives, and what it may not do."""

from __future__ import annotations

from pathlib import Path

import pytest

from reclens.learn.child import call_functions
from reclens.learn.code_rules import forbidden
from reclens.learn.exercise import Remark


def test_numbers_come_back_and_an_exception_stays_with_its_call() -> None:
    source = "import math\ndef f(a, b):\n    return math.nan if b == 0 else None if b == 1 else a / (b - 2)\n"
    values = call_functions("a.py", source, [("f", [1, 0]), ("f", [1, 1]), ("f", [6, 4]), ("f", [1, 2])])
    assert isinstance(values, list)
    assert values[0].value != values[0].value
    assert (values[1].value, values[2].value) == (None, 3.0)
    assert values[3].failed == "ZeroDivisionError: division by zero"


def test_values_that_no_float_and_no_stack_can_hold() -> None:
    found = call_functions("a.py", "def f():\n    return [10**400, -(10**400), 7]\n", [("f", [])], as_json=True)
    assert isinstance(found, list) and found[0].value == [float("inf"), -float("inf"), 7]
    deep = "def f():\n    held = []\n    for _ in range(1500):\n        held = [held]\n    return held\n"
    found = call_functions("a.py", deep, [("f", [])], as_json=True)
    assert isinstance(found, Remark) and found.code == "values_too_deep"


@pytest.mark.parametrize("text", ["x", "[]", "{}", '{"results": []}', '{"results": [3]}', '{"failed": 1}'])
def test_what_an_answer_writes_into_the_reply_is_named(text: str) -> None:
    source = f"import sys\nsys.modules['os'].write(3, {text.encode()!r})\nsys.modules['os']._exit(0)\ndef f(): pass\n"
    found = call_functions("a.py", source, [("f", [])])
    assert isinstance(found, Remark) and found.code == "wrote_into_reply"


# What the tree forbids is let through here: the process has to hold by itself.
ATTACKS = {
    "write": "open('{place}/stolen.txt', 'w').write('x')",
    "write by numpy": "import numpy\nnumpy.save('{place}/stolen.npy', [1])",
    "read": "open('/etc/hostname').read()",
    "socket": "import socket\nsocket.create_connection(('127.0.0.1', 9), 1)",
    "process": "import subprocess\nsubprocess.run(['touch', '{place}/stolen.txt'])",
    "module of a module": "import statistics\nstatistics.sys.modules['os'].remove('{place}/kept.txt')",
    "file of NumPy": "import numpy\nnumpy.fromfile('/etc/hostname', 'u1')",
    "map of NumPy": "import numpy\nnumpy.memmap('/etc/hostname', 'u1', 'r')",
    "shell": "import os\nos.system('touch {place}/stolen.txt')",
    "fork": "import os\nos.fork()",
    "remove": "import os\nos.remove('{place}/kept.txt')",
    "library": "import ctypes\nctypes.CDLL(None).system(b'touch {place}/stolen.txt')",
}


def test_nothing_is_written_read_or_started(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("kept")
    for name, source in ATTACKS.items():
        found = call_functions("a.py", source.format(place=tmp_path), [("f", [])])
        assert isinstance(found, Remark) and found.code == "does_not_run", name
        assert [each.name for each in tmp_path.iterdir()] == ["kept.txt"], name


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("while True:\n    pass\n", "too_slow"),
        ("x = 1\n", "no_function"),
        ("def f():\n    return bytearray(8_000_000_000)[0]\n", ""),
    ],
)
def test_endless_and_greedy_code_ends(source: str, code: str) -> None:
    found = call_functions("a.py", source, [("f", [])], seconds=1)
    if code:
        assert isinstance(found, Remark) and found.code == code
    else:
        assert isinstance(found, list) and found[0].failed.startswith("MemoryError")


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("import os", "import_not_allowed"),
        ("from sklearn import metrics", "import_not_allowed"),
        ("import numpy.ctypeslib", "import_not_allowed"),
        ("import urllib", "import_not_allowed"),
        ("import urllib.request", "import_not_allowed"),
        ("from urllib import request", "import_not_allowed"),
        ("from . import x", "import_not_allowed"),
        ("().__class__", "name_not_allowed"),
        ("eval('1')", "name_not_allowed"),
        ("getattr(1, 'x')", "name_not_allowed"),
        ("import collections\ncollections._sys.exit()", "name_not_allowed"),
        ("import statistics as s\ns.sys.modules['os'].remove('x')", "name_not_allowed"),
        ("import operator\noperator.attrgetter('__class__')(1)", "name_not_allowed"),
        ("from operator import methodcaller as m", "name_not_allowed"),
        ("def f(:", "no_python"),
        ("(" * 5000, "no_python"),
        ("x = 1\0", "no_python"),
    ],
)
def test_what_the_tree_forbids_is_named(source: str, code: str) -> None:
    assert [each.code for each in forbidden("a.py", source)][:1] == [code]


def test_plain_code_passes() -> None:
    source = "from collections import Counter\nimport numpy as np\nx = np.ones(3).sum(), Counter()\n"
    source += "from html import escape\nfrom urllib.parse import parse_qs\nimport collections.abc, json, datetime\n"
    assert list(forbidden("a.py", source)) == []
