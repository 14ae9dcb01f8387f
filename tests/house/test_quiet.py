"""The library is quiet, keeps no global state, and uses one word for one thing."""

from __future__ import annotations

import ast

SAME_WORDS = {
    "random_state": "rng",
    "random_seed": "rng",
    "n_jobs": "threads",
    "num_threads": "threads",
    "top_k": "k",
    "topk": "k",
    "top_n": "k",
    "alpha_level": "level",
    "confidence": "level",
    "verbose": "progress",
}
STREAMS = {"default_rng", "Generator", "SeedSequence", "BitGenerator", "PCG64", "Philox"}


def functions(tree: ast.Module):
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_the_library_prints_nothing(sources) -> None:
    loud = [
        s.at(node)
        for s in sources
        if s.room != "cli"
        for node in s.nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not loud, f"report by progress=, or return it: {loud}"


def test_one_word_for_one_thing(sources) -> None:
    other = [
        f"{s.at(function)} {function.name}({argument.arg}): say {SAME_WORDS[argument.arg]}"
        for s in sources
        for function in functions(s.tree)
        for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
        if argument.arg in SAME_WORDS
    ]
    assert not other, other


def test_no_global_random_state(sources) -> None:
    uses = [
        f"{s.at(node)} {ast.unparse(node)}"
        for s in sources
        for node in s.nodes
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("np.random", "numpy.random")
        if node.attr not in STREAMS
    ]
    imports = [(s, node) for s in sources for node in s.nodes if isinstance(node, ast.Import)]
    uses += [s.at(node) for s, node in imports if "random" in {alias.name for alias in node.names}]
    assert not uses, f"randomness comes by rng= only: {uses}"


def test_nothing_is_pickled(sources) -> None:
    pickled = []
    for source in sources:
        for node in source.nodes:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if {"pickle", "cloudpickle", "joblib", "marshal", "shelve"} & set(names):
                pickled.append(source.at(node))
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert ast.unparse(node.value) == "False", f"{source.at(node)}: allow_pickle"
    assert not pickled, f"save arrays and JSON: {pickled}"
