"""A call that needs more than twelve arguments hides a record."""

from __future__ import annotations

import ast

MOST_PARAMETERS = 12

PUBLIC = {
    "calculate": "each keyword is an option of `reclens experiment size`; all but two have a default",
    "evaluate": "who measures names data, metrics and intervals in one call, as in the README",
    "four_verdicts": "each keyword is an option of `reclens experiment verdicts`, and of one study alone",
    "gather": "the columns and faults of a table, which `read_experiment` hands on under the same names",
    "gather_events": "the same for a log",
    "read_aggregated": "the same for a table of counts; no two of its options depend on each other",
    "read_experiment": "each keyword is an option of `reclens experiment read`",
    "surrogate_study": "each keyword is a choice of one study, and independent of the others",
    "tune": "what `evaluate` is told, and the limits of a search",
    "tune_weights": "what `tune` is told, for the weights of a hybrid",
}
"""Functions that users call by keywords with defaults: a record would have to be imported and filled for one option."""


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many a caller gives; ``self`` and ``cls`` are not among them."""
    listed = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return len([each for each in listed if each.arg not in ("self", "cls")])


def is_command(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether Typer makes its parameters options, of which a command has as many as people need."""
    return any(ast.unparse(each).startswith("command(") for each in function.decorator_list)


def test_functions_have_few_parameters(sources) -> None:
    many = {
        node.name: f"{s.at(node)} {node.name}: {n}"
        for s in sources
        for node in s.nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (n := parameters(node)) > MOST_PARAMETERS
        and not is_command(node)
    }
    assert set(many) == set(PUBLIC), f"more than {MOST_PARAMETERS} parameters, or no longer so: {many}"
