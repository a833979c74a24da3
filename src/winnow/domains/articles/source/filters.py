"""Reading a filter folder: every error names the file, the line and the key."""

import re
from collections.abc import Iterator
from pathlib import Path

import regex
from pydantic import ValidationError

from winnow.domains.articles.definitions import RATIONALE, Definition, Example, FilterConfig, Prefilter
from winnow.domains.articles.rules.prefilter import is_slow
from winnow.domains.articles.source.formats import NotAnArticle, checked_score
from winnow.domains.articles.source.rows import jsonl_rows
from winnow.pipeline.errors import SourceError
from winnow.pipeline.params import Document, Location, dotted

FOLDER = Path("data", "source", "articles", "filters")

Problem = tuple[Location, str]


def known_filters(folder: Path = FOLDER) -> list[str]:
    """The filters that exist, such as `uplifting/v1`, sorted."""
    return sorted(path.parent.relative_to(folder).as_posix() for path in folder.glob("*/v*/config.yaml"))


def read_filter(name: str, folder: Path = FOLDER) -> Definition:
    """The filter `<name>/v<N>`. Raises SourceError or ParamsError naming the file and the key that is wrong."""
    place = folder / name
    if not place.is_dir():
        known = ", ".join(known_filters(folder)) or "none"
        raise SourceError(
            f"there is no filter `{name}`",
            where="params.yaml: articles.common.definition",
            fix=f"make the folder {place}, or choose one of: {known}",
        )
    for file in ("config.yaml", "prefilter.yaml", "prompt.md", "README.md"):
        if not (place / file).is_file():
            raise SourceError(
                f"the filter {name} has no {file}", where=str(place), fix=f"see {FOLDER.parent}/README.md"
            )
    settings, rules = Document(place / "config.yaml"), Document(place / "prefilter.yaml")
    if "gates" in settings.content:
        raise SourceError(
            f"{settings.at(('gates',))}: the gates of the calibration report are in params.yaml",
            fix="move them to articles.label.calibration.gates, where a change of a target re-runs label alone",
        )
    config = settings.section((), FilterConfig)
    _raise_first(settings, _config_problems(config, name))
    prefilter = rules.section((), Prefilter)
    _raise_first(rules, _prefilter_problems(prefilter))
    try:
        prompt = (place / "prompt.md").read_text(encoding="utf-8").strip()
    except UnicodeDecodeError as error:
        raise SourceError(f"the prompt is not valid UTF-8: {error}", where=str(place / "prompt.md")) from None
    if not prompt:
        raise SourceError("the prompt is empty", where=str(place / "prompt.md"), fix="write what the oracle has to do")
    examples = list(_examples(place / "examples.jsonl", config))
    return Definition(config=config, prefilter=prefilter, prompt=prompt, examples=examples)


def _examples(path: Path, config: FilterConfig) -> Iterator[Example]:
    """The examples of a filter that has some; raises SourceError naming the line that is none."""
    for number, row in enumerate(jsonl_rows(path) if path.is_file() else (), 1):
        try:
            if isinstance(row, str):
                raise NotAnArticle(row)
            example = Example.model_validate(row)
            if surplus := sorted(example.scores.keys() - set(config.names)):
                raise NotAnArticle(f"there is no dimension {', '.join(surplus)}")
            for name in config.names:
                checked_score(name, example.scores.get(name), config)
        except ValueError as error:
            said = "; ".join(f"{dotted(each['loc'])}: {each['msg']}" for each in error.errors()) if isinstance(
                error, ValidationError
            ) else str(error)  # fmt: skip
            raise SourceError(
                f"row {number} is no example: {said}",
                where=str(path),
                fix='write {"title": …, "content": …, "scores": {dimension: score, …}, "rationale": …}',
            ) from None
        yield example


def _raise_first(document: Document, problems: Iterator[Problem]) -> None:
    found = [f"{document.at(location)}: `{dotted(location)}`: {problem}" for location, problem in problems]
    if found:
        raise SourceError(found, fix=f"correct {document.path}")


def _config_problems(config: FilterConfig, name: str) -> Iterator[Problem]:
    if name != f"{config.name}/v{config.version}":
        yield ("name",), f"the folder is {name}, and the file says {config.name}/v{config.version}"
    if config.scale.high <= config.scale.low:
        yield ("scale",), f"high ({config.scale.high:g}) is not above low ({config.scale.low:g})"
    names = config.names
    for index, each in enumerate(names):
        if each == RATIONALE:
            yield ("dimensions", index, "name"), f"{each} is the key of an answer's reasons: choose another name"
        if each in names[:index]:
            yield ("dimensions", index, "name"), f"{each} is defined twice"
    for index, each in enumerate(config.tiers.of):
        if each not in names:
            yield ("tiers", "of", index), f"there is no dimension {each!r}; known: {', '.join(names)}"
    yield from _tier_problems(config)


def _tier_problems(config: FilterConfig) -> Iterator[Problem]:
    """Tiers must cover the scale from its low to its high end, without a gap and without an overlap."""
    end, before = config.scale.low, "the scale's low end"
    for index, band in enumerate(config.tiers.bands):
        place = ("tiers", "bands", index)
        if band.name in [each.name for each in config.tiers.bands[:index]]:
            yield (*place, "name"), f"{band.name} is defined twice"
        if band.minimum >= band.maximum:
            yield (*place, "minimum"), f"{band.minimum:g} is not below the tier's maximum {band.maximum:g}"
        if band.minimum < end:
            yield ((*place, "minimum"), f"it begins at {band.minimum:g} and overlaps {before}, which ends at {end:g}")
        elif band.minimum > end:
            yield (*place, "minimum"), f"{band.name} begins at {band.minimum:g}: nothing covers {end:g} to there"
        end, before = band.maximum, band.name
    if end != config.scale.high:
        last = len(config.tiers.bands) - 1
        yield ("tiers", "bands", last, "maximum"), f"the last tier ends at {end:g}, the scale at {config.scale.high:g}"


def _prefilter_problems(prefilter: Prefilter) -> Iterator[Problem]:
    if prefilter.min_words > prefilter.max_words:
        yield ("min_words",), f"{prefilter.min_words} is more than max_words ({prefilter.max_words})"
    for key in ("keep", "drop"):
        for index, pattern in enumerate(getattr(prefilter, key).patterns):
            try:
                if is_slow(pattern):
                    yield (
                        (key, "patterns", index),
                        f"{pattern!r} backtracks without end: write it without a repeat inside of a repeat",
                    )
            except regex.error as error:
                yield (key, "patterns", index), f"{pattern!r} is no regular expression: {error}"
    places: list[tuple[Location, list[str]]] = [
        (("keep", "words"), prefilter.keep.words),
        (("drop", "words"), prefilter.drop.words),
        (("topic", "on_topic"), prefilter.topic.on_topic),
        (("topic", "off_topic"), prefilter.topic.off_topic),
    ]
    for location, words in places:
        for index, word in enumerate(words):
            if not re.fullmatch(r"\w+", word):
                instead = (
                    "name the words one by one" if location[0] == "topic" else f"write it under {location[0]}.patterns"
                )
                yield (*location, index), f"{word!r} is not one word: {instead}"
    first, last = prefilter.dates.first, prefilter.dates.last
    if first and last and first > last:
        yield ("dates", "first"), f"{first} is after last ({last})"
