"""What lies near a user and was neither had nor shown."""

from __future__ import annotations

import numpy as np

from reclens.explore.users import unexplored_regions


def test_unexplored_regions_by_hand(space_of) -> None:
    # Seven regions of one item each, at these degrees from the only item of the history.
    angles = np.radians([0, 10, -20, 30, 90, 180, 5])
    space = space_of(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    regions = np.arange(7)
    assert unexplored_regions(space, regions, np.array([0]), np.array([6])).tolist() == [], "none is as near as its own"
    # With a second item at 30 degrees the user stands at 15, and what is at most 15 degrees away is near.
    near = unexplored_regions(space, regions, np.array([0, 3]), np.array([], np.int64))
    assert near.tolist() == [1, 6], "the nearest first: 5 and 10 degrees away"
    assert unexplored_regions(space, regions, np.array([0, 3]), np.array([6])).tolist() == [1], "what is shown is known"
    assert unexplored_regions(space, regions, np.array([0, 3]), np.array([], np.int64), most=1).tolist() == [1]
    assert not len(unexplored_regions(space, regions, np.array([], np.int64), np.array([6]))), "no history, no place"


def test_a_region_stands_for_the_mean_of_its_items_whatever_their_number(space_of) -> None:
    # Region 1 has a hundred items at 60 degrees, region 2 a single one at 20.
    angles = np.radians([0, 40, *[60] * 100, 20])
    space = space_of(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    regions = np.array([0, 3, *[1] * 100, 2])
    assert unexplored_regions(space, regions, np.array([0, 1]), np.array([], np.int64)).tolist() == [2]


def test_near_is_as_near_as_half_of_the_regions_of_the_history(space_of) -> None:
    # The user stands at 28 degrees: the regions of the history are 28, 18 and 52 away, the others 22, 32 and 48.
    angles = np.radians([0, 10, 80, 50, 60, -20])
    space = space_of(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    near = unexplored_regions(space, np.arange(6), np.array([0, 1, 2]), np.array([], np.int64))
    assert near.tolist() == [3], "28 degrees at most"
