"""Train-test splits: six methods, each with a card and a leak check.

=============  ======================================================  =============================================
``by_time``    all events from a point in time on                      matches deployment
``rolling``    the same in successive periods                          variation of a result over time
``last_n``     the last interactions of each user                      next-item prediction; looks into the future
``random``     a random share of each user's interactions              many papers; looks into the future
``by_user``    part of the interactions of held-out users              strong generalisation
``given``      an existing split: files of training and test data      results of papers on their own split
=============  ======================================================  =============================================

All but ``given`` split the log of events. All merge repeats of a pair within each part, so that future events do not
affect the training part. ``task="new_items"`` (the default) drops held-out items that the user had before, and is for
lists without seen items: the default of the recommenders here, and common in the literature. ``task="with_repeats"``
keeps them, for domains where repeats are recommended, such as groceries, music and news sites.

All of them keep the order of the rows, draw at random by a hash of the ids (so the order of the rows never changes a
split), drop test rows of users without training data by default, keep items without training data, and count both in
the card.
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
