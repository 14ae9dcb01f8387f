"""Train-test splits: six methods, each with a card and a leak check.

=============  ======================================================  =============================================
``by_time``    everything from one moment on                           what a deployed system would have faced
``rolling``    the same at several moments                             how steady a result is over time
``last_n``     the last interactions of each user                      next-item prediction; looks into the future
``random``     a share of each user's interactions, random             many papers; looks into the future
``by_user``    part of the interactions of users the model never saw   strong generalisation
``given``      what somebody else held out: files of training and test numbers of papers on their own split
=============  ======================================================  =============================================

All but ``given`` cut the log of events, and all merge repeats of a pair within each part, so that nothing of the
future decides what training holds. What is asked for is a choice, ``task=``: ``"new_items"`` (the default) leaves out
of the held-out parts what the user had before, and belongs with lists without seen items, as recommenders here make
them by default and as offline results of the literature are reported; ``"with_repeats"`` keeps it, for groceries,
music, news sites: where to recommend again is of use.

All of them keep the order of the rows, draw lots by a hash of the ids (so that the order of the rows never changes a
split), drop test rows of users without training data unless told otherwise, keep items without training data, and count
both in the card.
"""

from __future__ import annotations

from reclens.data.split.given import given, read_part
from reclens.data.split.holdout import last_n, random
from reclens.data.split.people import by_user
from reclens.data.split.result import TASKS, Split, Task, check_leaks, task_of
from reclens.data.split.time import by_time, rolling

__all__ = [
    "TASKS",
    "Split",
    "Task",
    "by_time",
    "by_user",
    "check_leaks",
    "given",
    "last_n",
    "random",
    "read_part",
    "rolling",
    "task_of",
]
