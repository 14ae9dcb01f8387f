"""Settings of a world: its users, their choices, and how they change. Every number has a unit and a source.

Sources: RecSim (Ie et al. 2019, arXiv 1909.04847): multinomial choice with a mass for nothing, satiation, interests
that move towards what is clicked. RecoGym (Rohde et al. 2018, arXiv 1808.00720): organic visits beside recommendations,
tastes that wander. Position: examination falls as rank^-η (Joachims et al. 2017, arXiv 1608.04468). Return:
satisfaction is an average with a memory (RecSim's long-term satisfaction). Novelty and primacy: Sadeghi et al. 2021,
arXiv 2102.12893.
Numbers without a source are chosen so that the defaults resemble the log of a shop or a film service; the realism
report compares a world with real data.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, Final

from pydantic import ConfigDict, Field, model_validator

from reclens.errors import UnknownNameError
from reclens.settings import Checked, read_toml, validate

__all__ = ["PRESETS", "WorldSettings", "load_world_settings", "preset"]


class WorldSettings(Checked):
    """Settings of a world. Utilities are in logits: 0.7 more doubles the odds of being chosen.

    Attributes:
        users: Number of users.
        items: Number of items.
        factors: Dimensions of taste.
        topics: Topics; each item has one, and users tire of topics.
        taste_spread: Standard deviation of personal utility over users and items, in logits.
        appeal_spread: Standard deviation of the utility that an item has for all users, in logits.
        demographic: How far the mean taste of an age group and a gender lies from the centre, in standard deviations.
        new_share: Share of users who come after the first day, spread over ``arrivals`` days.
        heavy_share: Share of users who visit often; the rest are light.
        arrivals: Days over which new users come.
        new_visits: Probability that a new user visits on a day.
        light_visits: … of a light user.
        heavy_visits: … of a heavy user.
        visit_spread: Standard deviation of the logit of a visit within a cohort.
        weekday: What Monday … Sunday add to the logit of a visit.
        return_effect: What full satisfaction adds to the logit of a visit, against none.
        memory: Weight of the previous satisfaction, per list: an exponential average of clicked or not.
        more: Probability that the user requests another list after a list.
        most_lists: Maximum number of lists per visit.
        examination: Exponent η: position p is examined with probability p^-η.
        examination_spread: Standard deviation over users of log η.
        click_rate: Mean probability that a list of ten popular items is clicked; sets the utility of nothing.
        none_spread: Standard deviation over users of the utility of nothing, in logits.
        satiation: Utility that a topic loses with each item consumed of it, in logits …
        recovery: … and days after which half of that is back.
        repeat_cost: Utility that an item loses once it was consumed, in logits.
        drift: Share of the way that a taste moves towards what is consumed, each time.
        wander: Random movement of a taste per day, as a share of its length; grows with the square root of time.
        births: Share of the items that come after the first day, spread over ``birth_days`` days.
        birth_days: Days over which items come.
        newness: Utility that an item has more on its first day, in logits …
        newness_days: … and days after which that has fallen to 1/e.
        novelty: Utility that all items have more in the first days of a changed recommender, in logits …
        novelty_days: … and days since they first saw it after which that has fallen to 1/e.
        primacy: Utility that they have less, because users are used to the old one …
        primacy_days: … and days after which that has fallen to 1/e.
        organic: Probability that a user finds an item without help on a day that they visit.
        browse: How many items they meet then, in proportion to exp(appeal).
        history: Mean number of items a user found without help before the first day.
        history_spread: Standard deviation of the log of that number.
        history_days: Days over which that happened.
        conversion: Probability that a click leads to a conversion, such as a purchase.
        latency: Median milliseconds from a request to its list; lognormal, with 0.5 as the deviation of its logarithm.
        late_share: Share of requests whose rows arrive in the log 1 to 24 hours late; the others within seconds.
        start: The first day.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    users: int = Field(default=1_000, ge=1)
    items: int = Field(default=500, ge=2)
    factors: int = Field(default=8, ge=1, le=256)
    topics: int = Field(default=12, ge=1, le=256)
    taste_spread: float = Field(default=1.2, ge=0, le=10)
    appeal_spread: float = Field(default=0.9, ge=0, le=10)
    demographic: float = Field(default=0.3, ge=0)
    new_share: float = Field(default=0.1, ge=0, le=1)
    heavy_share: float = Field(default=0.2, ge=0, le=1)
    arrivals: int = Field(default=21, ge=1)
    new_visits: float = Field(default=0.25, gt=0, lt=1)
    light_visits: float = Field(default=0.15, gt=0, lt=1)
    heavy_visits: float = Field(default=0.6, gt=0, lt=1)
    visit_spread: float = Field(default=0.5, ge=0)
    weekday: tuple[float, float, float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.1, 0.3, 0.25)
    return_effect: float = 2.0
    memory: float = Field(default=0.9, ge=0, lt=1)
    more: float = Field(default=0.3, ge=0, lt=1)
    most_lists: int = Field(default=4, ge=1, le=64)
    examination: float = Field(default=0.7, ge=0, le=10)
    examination_spread: float = Field(default=0.2, ge=0)
    click_rate: float = Field(default=0.1, gt=0, lt=1)
    none_spread: float = Field(default=0.5, ge=0)
    satiation: float = Field(default=0.5, ge=0)
    recovery: float = Field(default=3.0, gt=0)
    repeat_cost: float = Field(default=2.0, ge=0)
    drift: float = Field(default=0.02, ge=0, lt=1)
    wander: float = Field(default=0.01, ge=0)
    births: float = Field(default=0.1, ge=0, lt=1)
    birth_days: int = Field(default=28, ge=1)
    newness: float = 0.5
    newness_days: float = Field(default=7.0, gt=0)
    novelty: float = 0.0
    novelty_days: float = Field(default=5.0, gt=0)
    primacy: float = 0.0
    primacy_days: float = Field(default=5.0, gt=0)
    organic: float = Field(default=0.3, ge=0, le=1)
    browse: int = Field(default=16, ge=1, le=1_000)
    history: float = Field(default=15.0, ge=0)
    history_spread: float = Field(default=0.8, ge=0)
    history_days: int = Field(default=90, ge=1)
    conversion: float = Field(default=0.1, ge=0, le=1)
    latency: float = Field(default=60.0, gt=0)
    late_share: float = Field(default=0.01, ge=0, le=1)
    start: date = date(2026, 1, 5)

    @model_validator(mode="after")
    def _fits(self) -> WorldSettings:
        if self.new_share + self.heavy_share > 1:
            raise ValueError(
                f"new_share is {self.new_share} and heavy_share {self.heavy_share}: together they are more than 1; the "
                "rest are light users"
            )
        gib = self.users * ((self.items + 63) // 64) * 8 / 2**30
        if gib > 8:
            raise ValueError(
                f"users is {self.users:,} and items {self.items:,}: what each user has consumed takes a bit an item, "
                f"{gib:.0f} GiB. Take fewer"
            )
        return self


PRESETS: Final[dict[str, dict[str, Any]]] = {
    "tiny": {"users": 300, "items": 120, "factors": 6, "topics": 6, "history": 10.0},
    "small": {"users": 2_000, "items": 500},
    "medium": {"users": 20_000, "items": 1_000, "factors": 12},
    "large": {"users": 100_000, "items": 2_000, "factors": 16, "topics": 20},
}
"""Worlds by size; what a preset does not say is the default."""


def preset(name: str, **changes: Any) -> WorldSettings:
    """The settings of a size, with changes.

    Raises:
        UnknownNameError: If there is no such size.
        UsageError: If a change is wrong.

    Example:
        >>> preset("tiny", click_rate=0.2).users
        300
    """
    if name not in PRESETS:
        raise UnknownNameError("size of a world", name, PRESETS)
    return WorldSettings(**{**PRESETS[name], **changes})


def load_world_settings(path: str | Path) -> WorldSettings:
    """Read the settings of a world from a TOML file; ``size = "small"`` starts from a preset.

    Raises:
        UsageError: If the file cannot be read, has an unknown key or a value that is wrong.
        UnknownNameError: If there is no such size.
    """
    content = read_toml(path)
    size = content.pop("size", None)
    if size is not None and size not in PRESETS:
        raise UnknownNameError("size of a world", str(size), PRESETS)
    return validate(WorldSettings, {**PRESETS.get(str(size), {}), **content}, source=str(path))
