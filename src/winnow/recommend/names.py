"""
Items found by the names that people type. Loads no torch.

Names are compared after Unicode normalisation (NFKC), case folding, and with one kind of quote and dash; where that
finds nothing, without accents and punctuation.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

from winnow.pipeline.console import say
from winnow.recommend.spelling import JOIN, loose, loosened, plain
from winnow.recommend.typed import Wanted

NEAR = 75.0
"""Least similarity of a suggestion, in percent (Indel ratio); below it names share little more than letters."""
MOST_SUGGESTED = 5
"""Unknown names of a list for which near ones are looked up; it takes some hundredths of a second each."""
TOLD = 5
"""Names of a kind that are told one by one."""
GUESTS = re.compile(r"\s*[(\[](?:feat|ft|featuring|with)\b[^)\]]*[)\]]")
"""The part of a title that names further artists; people leave it out."""
NUMBERED = re.compile(r"^\d{1,3}[.)]\s+")
"""The number of a title in a list."""
ARTISTS = re.compile(r"\s*(?:[,;&]|\bfeat\.|\bft\.)\s*")
"""What stands between artists where a program lists them in one text."""
LONGEST_RUN = 6
"""Most separators in one name."""
SEPARATORS = (",", ";", "|", " / ", "\n")
"""What people put between names."""


@dataclass(frozen=True)
class Match:
    """The item meant by a name."""

    number: int
    others: tuple[int, ...] = ()
    """other items of the same title, the most popular first"""
    is_part: bool = False
    """whether an artist or a title alone was found of "artist – title", where no item has both"""


@dataclass(frozen=True)
class Taken:
    """A name that is the title of several items, or of which a part is."""

    typed: str
    name: str
    """of the item that was taken, the most popular one"""
    others: list[str]
    is_part: bool = False
    """whether the rest of what was typed is no name"""


@dataclass(frozen=True)
class LeftOut:
    """A name that is no item of the training data."""

    typed: str
    near: list[str]
    """the nearest names, none where nothing is near"""


@dataclass(frozen=True)
class Understood:
    """The items meant by a list of names, each once, and what is to be told of the names."""

    items: list[int]
    taken: list[Taken]
    left_out: list[LeftOut]


def tell(taken: Sequence[Taken], left_out: Sequence[LeftOut], *, where: str = "") -> None:
    """How names were understood, on standard error: a line for each, and of many the first ones and their number."""
    start = f"{where}: " if where else ""
    for each in taken[:TOLD]:
        others = ", ".join(each.others[:TOLD]) + (" and others" if len(each.others) > TOLD else "")
        part = ", a part of it; the rest is not known" if each.is_part else ""
        say(f"{start}{each.typed!r} is taken as {each.name}{part}" + (f"; there is also {others}" if others else ""))
    for one in left_out[:TOLD]:
        near = f"; did you mean {' or '.join(one.near)}?" if one.near else ""
        say(f"{start}{one.typed!r} is not known and left out{near}")
    if len(left_out) > TOLD:
        say(f"{start}{len(left_out)} names are not known and left out")


class NameIndex:
    """The items of a model by id, by "artist – title" and by title; of several the most popular is meant."""

    def __init__(
        self, ids: Sequence[str], titles: Sequence[str], names: Sequence[str], popularity: NDArray[np.int64]
    ) -> None:
        """`names` (items,) are the full ones; those equal to the title for items without an artist."""
        self.titles, self.names = titles, names
        self.has_no_artists = list(names) == list(titles)
        self._order = np.lexsort((np.arange(len(popularity)), -popularity)).tolist()
        self._by_id = {plain(name): number for number, name in enumerate(ids)}
        self._by_id |= {name: number for number, name in enumerate(ids)}
        self._by_name = self._numbers([plain(name) for name in names])
        self._by_title = self._numbers([plain(title) for title in titles])

    def _numbers(self, keys: Sequence[str]) -> dict[str, list[int]]:
        """The items of each key, the most popular first."""
        found: dict[str, list[int]] = {}
        for number in self._order:
            if keys[number]:
                found.setdefault(keys[number], []).append(number)
        return found

    @cached_property
    def _loosely(self) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        """By name and by title, without accents and punctuation: made when something is not found exactly."""
        return _loosely(self._by_name), _loosely(self._by_title)

    @cached_property
    def _choices(self) -> dict[str, int]:
        """The item of each name and title, without accents and punctuation."""
        by_name, by_title = self._loosely
        return {key: numbers[0] for table in (by_title, by_name) for key, numbers in table.items()}

    @cached_property
    def _by_artist(self) -> dict[str, list[int]]:
        """The items of each artist, loosely."""
        artists = [name.rpartition(JOIN)[0] for name in self.names]
        return self._numbers([loose(artist) if artist else "" for artist in artists])

    def find(self, wanted: Wanted) -> Match | None:
        """The item of an id, else of "artist – title" in either order, else, without an artist, of a title.

        "Title by artist" is the same. Where nothing has the whole title, one with guests after it is meant; of several
        artists the first counts. Where no item has an artist, the title of "artist – title" is meant, else the artist.
        """
        name, title = wanted.full_name, plain(wanted.title)
        if wanted.id in self._by_id:
            return Match(self._by_id[wanted.id])
        for own in () if wanted.artist else (wanted.title, title):  # with an artist it is no id
            if own in self._by_id:  # such as "311", which may also be meant as a title
                return Match(self._by_id[own], self._others([self._by_id[own], *self._by_title.get(title, [])]))
        for key in (plain, loose) if name else ():
            by_name, by_title = (self._by_name, self._by_title) if key is plain else self._loosely
            own = title if key is plain and name == wanted.title else key(name)
            if own in by_name:
                return Match(by_name[own][0], self._others(by_name[own]))
            if wanted.artist:
                continue
            if own in by_title:
                return Match(by_title[own][0], self._others(by_title[own]))
            first, dash, last = plain(name).rpartition(JOIN)
            turned = key(f"{last}{JOIN}{first}")
            if dash and turned in by_name:
                return Match(by_name[turned][0], self._others(by_name[turned]))
        return self._in_other_words(wanted)

    def _in_other_words(self, wanted: Wanted) -> Match | None:
        """What is not found as it stands: without its number in a list, as title by artist, or of the first artist."""
        title, by, artist = wanted.title.rpartition(" by ")
        first, *more = ARTISTS.split(wanted.artist)
        others = [replace(wanted, title=NUMBERED.sub("", wanted.title))]
        others += [Wanted(title, artist)] if by and not wanted.artist else []
        others += [replace(wanted, artist=first)] if first and more else []
        found = (self.find(other) for other in others if other != wanted)
        return next((match for match in found if match is not None), None) or self._part(plain(wanted.full_name))

    def _part(self, name: str) -> Match | None:
        """The title or the artist of "artist – title", where no item has both."""
        artist, dash, title = name.rpartition(JOIN)
        found = (self.find(Wanted(part)) for part in (title, artist)) if dash and self.has_no_artists else iter(())
        return next((replace(match, is_part=True) for match in found if match is not None), None)

    def _others(self, numbers: list[int]) -> tuple[int, ...]:
        """The items after the first that have another name than it."""
        if len(numbers) == 1:
            return ()
        first = plain(self.names[numbers[0]])
        found = dict.fromkeys(self.names[number] for number in numbers[1:] if plain(self.names[number]) != first)
        by_name = {self.names[number]: number for number in reversed(numbers)}
        return tuple(by_name[name] for name in found)

    def understand(self, titles: Sequence[Wanted], *, suggest: bool = False) -> Understood:
        """The items meant; with `suggest` names near to the first ones that are not known."""
        own: dict[int, None] = {}
        found = Understood([], [], [])
        for wanted in titles:
            match = self.find(wanted)
            if match is None:
                near = self.suggest(wanted) if suggest and len(found.left_out) < MOST_SUGGESTED else []
                found.left_out.append(LeftOut(wanted.full_name, near))
                continue
            if match.others or match.is_part:
                others = [self.names[number] for number in match.others]
                found.taken.append(Taken(wanted.full_name, self.names[match.number], others, match.is_part))
            own[match.number] = None
        found.items.extend(own)
        return found

    def suggest(self, wanted: Wanted, count: int = 3) -> list[str]:
        """The nearest names, the nearest first, or an artist's most popular ones; none where nothing is near."""
        if own := self._by_artist.get(loose(wanted.full_name)):
            return [self.names[number] for number in own[:count]]
        near = process.extract(
            loose(wanted.full_name), self._choices.keys(), scorer=fuzz.ratio, limit=count, score_cutoff=NEAR
        )
        return list(dict.fromkeys(self.names[self._choices[name]] for name, _, _ in near))

    def split(self, text: str, separator: str) -> list[Wanted]:
        """The names of a text; of parts between separators the longest run that is a known name is one name.

        A name that is unknown is split at another separator where that gives a known one.
        """
        return [name for wanted in self._split(text, separator) for name in self._split_again(wanted)]

    def _split_again(self, wanted: Wanted) -> list[Wanted]:
        """The names in a name that is unknown, of which one at least is known; else the name."""
        for separator in () if self._is_name(wanted) else SEPARATORS:
            own = self._split(wanted.title, separator) if separator in wanted.title else []
            if any(self.find(each) for each in own):
                return own
        return [wanted]

    def _is_name(self, wanted: Wanted) -> bool:
        match = self.find(wanted)
        return match is not None and not match.is_part

    def _split(self, text: str, separator: str) -> list[Wanted]:
        parts, found, start = text.split(separator), [], 0
        while start < len(parts):
            ends = range(min(len(parts), start + LONGEST_RUN), start, -1)
            runs = {end: Wanted(separator.join(parts[start:end]).strip(f"{separator} \t\n")) for end in ends}
            known = (end for end in ends if end > start + 1 and self._is_name(runs[end]))
            end = next(known, start + 1)
            if runs[end].title:
                found.append(runs[end])
            start = end
        return found


def _loosely(table: dict[str, list[int]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for key, numbers in table.items():
        if own := _in_parts(key):
            found.setdefault(own, []).extend(numbers)
    without: dict[str, list[int]] = {}
    for key, numbers in table.items():
        if (short := GUESTS.sub("", key)) != key and (own := _in_parts(short)) and own not in found:
            without.setdefault(own, []).extend(numbers)
    return found | without


def _in_parts(key: str) -> str:
    """The artist and the title, loosely; "" where one is of signs alone, such as "!!!": any title would be its."""
    parts = [loosened(part) for part in key.split(JOIN)]
    return " ".join(parts) if all(parts) else ""
