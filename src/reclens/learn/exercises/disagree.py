"""Exercise 1.1: a matrix for which user-kNN and item-kNN put different items first."""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from reclens.cards import Fact
from reclens.learn.exercise import Draw, Exercise, Remark
from reclens.learn.headers import toml_header

__all__ = ["MakeThemDisagree"]

_SIZE: Final = 8
_NEIGHBORS: Final = 2
_NEAR: Final = 1e-9
"""Scores that are closer than this are a tie."""
_TRIES: Final = 100_000
_DENSITY: Final = 0.45
"""Share of ones of the matrices that are tried."""


@dataclass(frozen=True, eq=False)
class _First:
    """What a model puts first.

    Attributes:
        item: Its column; None if no item has a score, or the first place or a neighbour is a tie.
        tied: Whether a tie is the reason.
    """

    item: int | None
    tied: bool = False


class MakeThemDisagree(Exercise):
    """Both models by the definition, on a matrix so small that it can be done by hand."""

    code = "1.1"
    name = "make_them_disagree"
    files = ("matrix.csv", "answer.toml")
    minutes = 60

    def facts(self, draw: Draw) -> dict[str, Fact]:
        """The items that the models have to put first."""
        by_users, by_items = _prescribed(draw)
        return {"user_knn": f"i{by_users + 1}", "item_knn": f"i{by_items + 1}", "size": _SIZE}

    def write_data(self, draw: Draw, folder: Path) -> None:
        """There is none: the matrix is the answer."""

    def templates(self, draw: Draw) -> dict[str, str]:
        """An empty matrix, and the questions."""
        blank = np.zeros((_SIZE, _SIZE), dtype=np.int8)
        return {"matrix.csv": _csv(blank), "answer.toml": _toml(draw, "u1", "i1", "i1", ("u1", "i1"), "i1")}

    def judge(self, answer: Mapping[str, str], draw: Draw) -> Iterator[Remark]:
        """Fit both models by brute force, before and after the change of one cell."""
        matrix, users, items, remark = _read_matrix(answer["matrix.csv"])
        if remark is not None:
            yield remark
            return
        given = tomllib.loads(answer["answer.toml"])
        flip = given.get("flip")
        flip = flip if isinstance(flip, dict) else {}
        named = {
            "user": (given.get("user"), users),
            "user_knn": (given.get("user_knn"), items),
            "item_knn": (given.get("item_knn"), items),
            "flip.user": (flip.get("user"), users),
            "flip.item": (flip.get("item"), items),
            "flip.together": (flip.get("together"), items),
        }
        at: dict[str, int] = {}
        for key, (value, names) in named.items():
            if not isinstance(value, str) or value not in names:
                yield Remark("unknown_entry", {"key": key, "seen": str(value), "names": list(names)})
            else:
                at[key] = names.index(value)
        if len(at) < len(named):
            return
        yield from _disagreement(matrix, items, at, _prescribed(draw))
        flipped = matrix.copy()
        flipped[at["flip.user"], at["flip.item"]] ^= 1
        yield from _agreement(flipped, items, at)

    def solve(self, draw: Draw, folder: Path) -> None:
        """Try random matrices until the models disagree, about one in five, and put the columns in place."""
        _write(folder, draw, _solution(draw, _prescribed(draw)))


def _prescribed(draw: Draw) -> tuple[int, int]:
    by_users, by_items = draw.rng("items").choice(_SIZE, 2, replace=False).tolist()
    return by_users, by_items


def _disagreement(
    matrix: np.ndarray, items: list[str], at: Mapping[str, int], asked: tuple[int, int]
) -> Iterator[Remark]:
    """Both models, as the matrix stands."""
    for model, found, wanted in zip(("user_knn", "item_knn"), _both(matrix, at["user"]), asked, strict=True):
        if found.item is None:
            yield Remark("tied" if found.tied else "no_score", {"model": model, "when": "before"})
            continue
        if items[found.item] != f"i{wanted + 1}":
            yield Remark("other_first", {"model": model, "seen": items[found.item], "expected": f"i{wanted + 1}"})
        if at[model] != found.item:
            yield Remark("wrong_prediction", {"model": model, "key": model, "seen": items[at[model]]})


def _agreement(flipped: np.ndarray, items: list[str], at: Mapping[str, int]) -> Iterator[Remark]:
    """Both models, with one cell changed."""
    if _empty(flipped):
        yield Remark("empty_after_flip")
        return
    users, both = _both(flipped, at["user"])
    for model, found in (("user_knn", users), ("item_knn", both)):
        if found.item is None:
            yield Remark("tied" if found.tied else "no_score", {"model": model, "when": "after"})
    if users.item is None or both.item is None:
        return
    if users.item != both.item:
        yield Remark("no_agreement", {"user_knn": items[users.item], "item_knn": items[both.item]})
    elif at["flip.together"] != users.item:
        yield Remark("wrong_prediction", {"model": "both", "key": "flip.together", "seen": items[at["flip.together"]]})


def _both(matrix: np.ndarray, user: int) -> tuple[_First, _First]:
    """What user-kNN and item-kNN put first, by their definitions: loops over rows and columns, nothing shared."""
    rows = matrix.astype(float)
    return _user_knn(rows, user), _item_knn(rows, user)


def _user_knn(rows: np.ndarray, user: int) -> _First:
    similar = [(-1.0 if other == user else _cosine(rows[user], rows[other])) for other in range(len(rows))]
    chosen, tied = _nearest(similar)
    scores = [
        -1.0 if rows[user, item] else sum(similar[other] * rows[other, item] for other in chosen)
        for item in range(rows.shape[1])
    ]
    return _best(scores, tied=tied)


def _item_knn(rows: np.ndarray, user: int) -> _First:
    scores, tied = [], False
    for item in range(rows.shape[1]):
        if rows[user, item]:
            scores.append(-1.0)
            continue
        similar = [-1.0 if other == item else _cosine(rows[:, item], rows[:, other]) for other in range(rows.shape[1])]
        chosen, ambiguous = _nearest(similar)
        tied = tied or ambiguous
        scores.append(sum(similar[other] for other in chosen if rows[user, other]))
    return _best(scores, tied=tied)


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b) / float(np.sqrt((a @ a) * (b @ b)))


def _nearest(similar: list[float]) -> tuple[list[int], bool]:
    """The most similar with a similarity above 0; and whether the last place is tied."""
    order = sorted(range(len(similar)), key=lambda other: -similar[other])
    chosen = [other for other in order[:_NEIGHBORS] if similar[other] > _NEAR]
    following = similar[order[_NEIGHBORS]] if len(order) > _NEIGHBORS else -1.0
    last = similar[order[_NEIGHBORS - 1]]
    return chosen, last > _NEAR and last - following < _NEAR


def _best(scores: list[float], *, tied: bool) -> _First:
    order = sorted(range(len(scores)), key=lambda item: -scores[item])
    if scores[order[0]] <= _NEAR:
        return _First(None)
    if tied or scores[order[0]] - scores[order[1]] < _NEAR:
        return _First(None, tied=True)
    return _First(order[0])


def _empty(matrix: np.ndarray) -> bool:
    return not (matrix.any(axis=0).all() and matrix.any(axis=1).all())


def _flip(matrix: np.ndarray) -> tuple[str, str, str] | None:
    """A cell whose change makes both models put the same item first for the first user."""
    for row, column in np.ndindex(matrix.shape):
        changed = matrix.copy()
        changed[row, column] ^= 1
        if not _empty(changed):
            users, items = _both(changed, 0)
            if users.item is not None and users.item == items.item:
                return f"u{row + 1}", f"i{column + 1}", f"i{users.item + 1}"
    return None


def _read_matrix(text: str) -> tuple[np.ndarray, list[str], list[str], Remark | None]:
    """The matrix, the names of its rows and columns, and what is wrong with it."""
    none = np.zeros((0, 0), dtype=np.int8)
    lines = [line for line in csv.reader(io.StringIO(text)) if line and not line[0].startswith("#")]
    if not lines or lines[0][0] != "user":
        return none, [], [], Remark("no_header", {"file": "matrix.csv"})
    items, users = [cell.strip() for cell in lines[0][1:]], [line[0].strip() for line in lines[1:]]
    if not (3 <= len(items) <= _SIZE and 3 <= len(users) <= _SIZE):
        return none, users, items, Remark("wrong_size", {"rows": len(users), "columns": len(items), "most": _SIZE})
    if len(set(items)) < len(items) or len(set(users)) < len(users):
        return none, users, items, Remark("repeated_name", {"file": "matrix.csv"})
    for row, line in enumerate(lines[1:], 1):
        if len(line) != len(items) + 1 or any(cell.strip() not in ("0", "1") for cell in line[1:]):
            return none, users, items, Remark("not_binary", {"row": row, "columns": len(items)})
    matrix = np.array([[int(cell) for cell in line[1:]] for line in lines[1:]], dtype=np.int8)
    return matrix, users, items, Remark("empty_row_or_column") if _empty(matrix) else None


def _csv(matrix: np.ndarray) -> str:
    head = ",".join(["user", *(f"i{item + 1}" for item in range(matrix.shape[1]))])
    rows = [",".join([f"u{number}", *map(str, row)]) for number, row in enumerate(matrix.tolist(), 1)]
    return "\n".join([head, *rows]) + "\n"


def _toml(draw: Draw, user: str, user_knn: str, item_knn: str, cell: tuple[str, str], together: str) -> str:
    return (
        f"{toml_header(draw)}"
        f'user = "{user}"  # whose list it is\n'
        f'user_knn = "{user_knn}"  # what user-kNN puts first\n'
        f'item_knn = "{item_knn}"  # what item-kNN puts first\n\n'
        "[flip]  # the one cell that is changed, 0 to 1 or 1 to 0\n"
        f'user = "{cell[0]}"\nitem = "{cell[1]}"\n'
        f'together = "{together}"  # what both put first then\n'
    )


@dataclass(frozen=True, eq=False)
class _Solved:
    """A matrix that does what is asked, and what the answer says of it: item of user-kNN, of item-kNN, cell, item."""

    matrix: np.ndarray
    first: tuple[str, str]
    cell: tuple[str, str]
    together: str


def _solution(draw: Draw, asked: tuple[int, int]) -> _Solved:
    rng = draw.rng("solution")
    for _ in range(_TRIES):
        matrix = (rng.random((_SIZE, _SIZE)) < _DENSITY).astype(np.int8)
        if _empty(matrix):
            continue
        by_users, by_items = (found.item for found in _both(matrix, 0))
        if by_users is not None and by_items is not None and by_users != by_items:
            order = [column for column in range(_SIZE) if column not in (by_users, by_items)]
            for place, column in sorted(zip(asked, (by_users, by_items), strict=True)):
                order.insert(place, column)
            matrix = matrix[:, order]
            flipped = _flip(matrix)
            if flipped is not None:
                return _Solved(matrix, (f"i{asked[0] + 1}", f"i{asked[1] + 1}"), flipped[:2], flipped[2])
    raise RuntimeError("no matrix of those tried does what is asked")


def _write(folder: Path, draw: Draw, solved: _Solved) -> None:
    (folder / "matrix.csv").write_text(_csv(solved.matrix), encoding="utf-8")
    text = _toml(draw, "u1", *solved.first, solved.cell, solved.together)
    (folder / "answer.toml").write_text(text, encoding="utf-8")


def _copied(draw: Draw, folder: Path) -> None:
    """The right answer of another learner, under a header of one's own."""
    others = (Draw(draw.seed + number, draw.exercise) for number in range(1, _TRIES))
    other = next(each for each in others if _prescribed(each) != _prescribed(draw))
    _write(folder, draw, _solution(other, _prescribed(other)))


def _confused(draw: Draw, folder: Path) -> None:
    """Takes either model for the other."""
    by_users, by_items = _prescribed(draw)
    _write(folder, draw, _solution(draw, (by_items, by_users)))


def _guessed(draw: Draw, folder: Path) -> None:
    """Right but for the item that both put first after the change."""
    solved = _solution(draw, _prescribed(draw))
    _write(folder, draw, replace(solved, together=next(f"i{n}" for n in range(1, 9) if f"i{n}" != solved.together)))


def _diagonal(draw: Draw, folder: Path) -> None:
    """Users who have nothing in common: no model has a score."""
    by_users, by_items = _prescribed(draw)
    first = (f"i{by_users + 1}", f"i{by_items + 1}")
    _write(folder, draw, _Solved(np.eye(_SIZE, dtype=np.int8), first, ("u1", "i2"), "i3"))


MakeThemDisagree.wrong = {"copied": _copied, "confused": _confused, "guessed": _guessed, "diagonal": _diagonal}
