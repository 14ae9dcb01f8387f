"""Titles and plots for synthetic items, by a seeded grammar: a text says what the genres of its item say.

A search by words then finds what it should, and a model that reads texts has something to learn: tastes in
:func:`~reclens.data.synthetic.synthetic_movielens` follow genres, and so do the words. No such item was ever made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl

from reclens.data.dataset import Dataset
from reclens.errors import UsageError

__all__ = ["with_plots"]

_EMPTY: Final = 0.02
"""Share of the items without a plot, as in catalogues of real items."""


@dataclass(frozen=True, kw_only=True)
class _Words:
    """Vocabulary of the plots of a genre: heroes, actions, places, opponents, and nouns of titles."""

    who: tuple[str, ...]
    does: tuple[str, ...]
    where: tuple[str, ...]
    against: tuple[str, ...]
    named: tuple[str, ...]


def _choices(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


def _words(who: str, does: str, where: str, against: str, named: str) -> _Words:
    parts = {"who": who, "does": does, "where": where, "against": against, "named": named}
    return _Words(**{name: _choices(part) for name, part in parts.items()})


_GENRES: Final[Mapping[str, _Words]] = {
    "Action": _words(
        "ex-soldier|bodyguard|stunt driver|commando",
        "fights through an armed gang|races a stolen truck|defuses one bomb after another",
        "on a burning oil rig|in the tower of a bank|across a closed highway",
        "mercenaries|a private army|an arms dealer",
        "Strike|Pursuit|Firewall|Bullet",
    ),
    "Adventure": _words(
        "treasure hunter|explorer|cartographer|sailor",
        "follows a torn map|crosses an uncharted jungle|searches for a sunken city",
        "on a lost island|beyond the last mountain pass|up an unknown river",
        "pirates|a rival expedition|a sandstorm",
        "Expedition|Island|Compass|Voyage",
    ),
    "Animation": _words(
        "talking fox|toy robot|young dragon|paper bird",
        "learns to fly|leaves the toy box|sings with the forest animals",
        "in a painted forest|in a kingdom of clouds|under the bed",
        "a grumpy wizard|the winter",
        "Feather|Acorn|Puddle|Paintbox",
    ),
    "Children's": _words(
        "schoolboy|little girl|puppy|pair of twins",
        "finds a secret garden|runs away with the circus|brings a lost pony home",
        "during the summer holidays|at a boarding school|on a farm",
        "a mean headmistress|bullies",
        "Pony|Treehouse|Holiday|Puppy",
    ),
    "Comedy": _words(
        "clumsy waiter|unlucky salesman|bored clerk|best man",
        "ruins a wedding|pretends to be rich|swaps suitcases by mistake",
        "in a shabby hotel|at an office party|on a disastrous road trip",
        "the mother-in-law|a humourless boss",
        "Mix-Up|Honeymoon|Blunder|Landlord",
    ),
    "Crime": _words(
        "safecracker|mob accountant|informer|pickpocket",
        "plans one last heist|launders money for the mafia|steals from the boss",
        "in the back room of a casino|on the docks|in a prison yard",
        "the mafia|a corrupt inspector",
        "Heist|Alibi|Ransom|Getaway",
    ),
    "Documentary": _words(
        "film crew|beekeeper|retired astronaut|team of biologists",
        "records the last glacier|interviews the workers of a closed factory|follows the migration of whales",
        "over four seasons|in the archives|on the coast of Greenland",
        "the official version|a mining company",
        "Archive|Portrait|Season|Migration",
    ),
    "Drama": _words(
        "widower|nurse|retired teacher|estranged daughter",
        "returns home after a funeral|hides an illness from the family|sells the family house",
        "in a small mining town|during a long winter|in a hospital ward",
        "grief|an old quarrel|debts",
        "Inheritance|Winter|Letter|Silence",
    ),
    "Fantasy": _words(
        "apprentice witch|exiled prince|blacksmith|shapeshifter",
        "wields an enchanted sword|breaks an ancient curse|opens a gate to another realm",
        "in an elven kingdom|under a dragon's mountain|in the city of mages",
        "a sorcerer|the dragon queen",
        "Spell|Crown|Dragon|Realm",
    ),
    "Film-Noir": _words(
        "private eye|femme fatale|crooked lawyer|drifter",
        "takes the wrong case|double-crosses a gambler|wakes beside a dead man",
        "in the rain of Los Angeles|in a smoky nightclub|under neon signs",
        "blackmailers|fate",
        "Shadow|Nightfall|Cigarette|Double-Cross",
    ),
    "Horror": _words(
        "babysitter|gravedigger|medium|family",
        "is haunted by a ghost|opens a sealed crypt|hears voices from the cellar",
        "in an abandoned asylum|in a cabin in the woods|in a cursed house",
        "a demon|the undead|a masked killer",
        "Crypt|Haunting|Scream|Cellar",
    ),
    "Musical": _words(
        "chorus girl|jazz singer|tap dancer|choir boy",
        "sings for a part on Broadway|puts on a show to save the theatre|dances the night away",
        "backstage|on the stage of a music hall|in a ballroom",
        "a jealous diva|the producer",
        "Melody|Chorus|Encore|Tango",
    ),
    "Mystery": _words(
        "amateur detective|novelist|librarian|inspector",
        "investigates a locked-room murder|deciphers an anonymous letter|questions every guest",
        "at a country manor|on a night train|in a fog-bound village",
        "a killer among the guests|false clues",
        "Riddle|Clue|Manor|Cipher",
    ),
    "Romance": _words(
        "florist|pianist|pen friend|bookseller",
        "falls in love with a stranger|meets a first love again|writes love letters under a false name",
        "in Paris in spring|at a seaside cafe|on Valentine's Day",
        "a wedding date|distance|a jealous fiance",
        "Kiss|Promise|Spring|Love",
    ),
    "Sci-Fi": _words(
        "android|starship pilot|xenobiologist|space engineer",
        "answers a signal from deep space|travels back in time|wakes from cryosleep",
        "on an orbital station|in a colony on Mars|aboard a drifting starship",
        "an alien hive|a rogue computer",
        "Orbit|Android|Nebula|Signal",
    ),
    "Thriller": _words(
        "witness|hostage negotiator|journalist|profiler",
        "uncovers a conspiracy|is hunted across the city|has six hours to find a kidnapped child",
        "in a sealed embassy|in the subway at night|in a glass tower",
        "a serial killer|assassins|a stalker",
        "Witness|Deadline|Hostage|Conspiracy",
    ),
    "War": _words(
        "medic|bomber crew|sniper|young lieutenant",
        "holds a bridge against the enemy|escapes from a prisoner-of-war camp|carries a message through the trenches",
        "on the eastern front|in the trenches|behind enemy lines",
        "the occupying army|a superior officer",
        "Trench|Battalion|Armistice|Bridge",
    ),
    "Western": _words(
        "gunslinger|sheriff|cattle rancher|bounty hunter",
        "rides into town for revenge|defends a homestead|guards a stagecoach of gold",
        "in a dusty frontier town|on the prairie|at a saloon",
        "outlaws|a railroad baron",
        "Saloon|Prairie|Outlaw|Sundown",
    ),
}
_MOODS: Final = _choices("Silent|Last|Hidden|Broken|Golden|Midnight|Distant|Crimson|Forgotten|Paper|Second|Hollow")
_PLACES: Final = _choices("of Ash|of Glass|by the River|in Winter|at Dawn|of the North|for Two|without End|of Salt")
_THINGS: Final = _choices(
    "an old violin|a rusty key|a borrowed car|a blind dog|a broken radio|three photographs|"
    "a false passport|a red scarf|half a diary|a one-way ticket|a pocket watch|a chess set|a silver spoon|"
    "an unpaid bill|a paper lantern|a tin whistle|a glass eye|a sack of apples|a wooden leg|"
    "a stolen painting|a faded map|a box of matches|a black umbrella|a music box|a pair of skates|"
    "a bottle of ink|a torn coat|a jar of honey|a lucky coin|a folding ladder|a deaf parrot|a brass bell"
)
"""What a hero has along, of any genre: it tells plots of one genre apart."""


def with_plots(data: Dataset, *, rng: int = 0) -> Dataset:
    """The data set with a title and a plot of each item that follow its genres.

    Args:
        data: Synthetic data whose items have ``genres`` and ``year``.
        rng: Seed: the same seed and genres give the same texts.

    Returns:
        The data set with the columns ``title``, each once, and ``plot``, which 2 % of the items lack.

    Raises:
        UsageError: If the data are not synthetic, or the items have no genres: real items get no invented texts.

    Example:
        >>> from reclens.data.synthetic import synthetic_movielens
        >>> films = with_plots(synthetic_movielens(n_users=50, n_items=40, n_ratings=900)).items
        >>> films["title"][0], films["genres"][0].to_list()
        ('The Second Ransom at Dawn', ['Crime', 'Horror', 'Thriller'])
        >>> films["plot"][0].split(". ")[0]
        'A mob accountant plans one last heist in the back room of a casino with a borrowed car'
    """
    if not data.card.get("synthetic") or data.items is None or not {"genres", "year"} <= set(data.items.columns):
        raise UsageError(f"'{data.name}' is not synthetic data with genres and years of its items: it gets no plots.")
    draw = np.random.default_rng(rng)
    genres = [[each for each in row if each in _GENRES] or ["Drama"] for row in data.items["genres"].to_list()]
    titles, plots = zip(*(_text([_GENRES[name] for name in names], draw) for names in genres), strict=True)
    empty = pl.Series(draw.random(len(genres)) < _EMPTY)
    table = data.items.with_columns(title=pl.Series(titles), plot=pl.Series(plots)).with_columns(
        plot=pl.when(empty).then(None).otherwise(pl.col("plot")),
        title=pl.when(pl.int_range(pl.len()).over("title") > 0)
        .then(pl.format("{} {}", "title", pl.int_range(pl.len()).over("title") + 1))
        .otherwise(pl.col("title")),
    )
    note = f"{data.card.get('note', 'Synthetic.')} Titles and plots are made by a grammar."
    return replace(data, items=table, card={**data.card, "note": note})


def _text(genres: list[_Words], draw: np.random.Generator) -> tuple[str, str]:
    """Make a title and a plot: the first genre gives the hero, the others the middle part."""

    def one(choices: tuple[str, ...]) -> str:
        return choices[int(draw.integers(len(choices)))]

    first, last = genres[0], genres[-1]
    title = f"The {one(_MOODS)} {one(first.named)} {one(_PLACES)}"
    parts = [f"{_article(one(first.who))} {one(first.does)} {one(first.where)} with {one(_THINGS)}."]
    if len(genres) > 1:
        parts.append(f"There {_article(one(last.who)).lower()} {one(last.does)}.")
    parts.append(
        f"Together they face {one(last.against)}." if len(genres) > 1 else f"It ends with {one(last.against)}."
    )
    return title, " ".join(parts)


def _article(noun: str) -> str:
    return f"{'An' if noun[0] in 'aeiou' else 'A'} {noun}"
