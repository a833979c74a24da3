"""The prefilter: which articles are worth a label, and whether they are on-topic, in one pass over the text."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import regex

from winnow.curate.duplicates import digest
from winnow.domains.articles.definitions import Prefilter, WordRules, article_text
from winnow.domains.articles.source.formats import NotAnArticle, article_of
from winnow.pipeline.cache import content_key
from winnow.pipeline.errors import SourceError

WORD = re.compile(r"\w+")

PATIENCE = 1.0
"""Seconds of processor time that a user's pattern may take for a text; one that backtracks takes years."""
PROBED = 2000
"""Characters of the texts on which a pattern is tried before it meets an article."""

FUNCTION_WORDS = {
    "en": "the of and to in that is was for on with as at by this from are it be have has not",
    "de": "der die und das ist nicht mit den ein eine auf für von im dem zu sich des auch wird",
    "fr": "le la les et des est une dans que qui pour pas sur au du avec ce il sont par",
    "es": "el los las y que en un una por con para del se no es su al lo como más",
    "it": "il di che la e un una per non sono con del della si le gli nel da più anche",
    "nl": "de het een en van is dat op te in niet zijn met voor aan er maar om ook bij",
    "pt": "o a os as e que um uma do da em para com não por se mais dos ao como",
}
"""Twenty of the most frequent words of each language."""

_FUNCTION_WORDS = {name: frozenset(words.split()) for name, words in FUNCTION_WORDS.items()}

RULES = (
    "too_few_words",
    "too_many_words",
    "wrong_language",
    "wrong_source",
    "too_early",
    "too_late",
    "dropped_word",
    "dropped_pattern",
    "nothing_to_keep",
)
"""The rules in the order in which they are tried."""


def digest_of(rules: Prefilter) -> str:
    """A name for a prefilter's content."""
    return content_key([rules.model_dump_json()])[:16]


class Sifted(NamedTuple):
    rule: str | None
    """the first rule that the article breaks"""
    topic: str
    words: int
    digest: str | None
    """of an article that passes: the same for texts that differ in case, punctuation and white space alone"""


class Sieve:
    """A prefilter, compiled."""

    def __init__(self, rules: Prefilter) -> None:
        self.rules = rules
        self.keep_words, self.keep_patterns = _compiled(rules.keep)
        self.drop_words, self.drop_patterns = _compiled(rules.drop)
        self.keeps_all = not (rules.keep.words or rules.keep.patterns)
        self.languages = frozenset(rules.languages)
        self.kept_sources, self.dropped_sources = frozenset(rules.sources.keep), frozenset(rules.sources.drop)
        self.on = frozenset(word.lower() for word in rules.topic.on_topic)
        self.off = frozenset(word.lower() for word in rules.topic.off_topic)

    def sift(self, title: str, content: str, source: str, published: str | None, language: str | None) -> Sifted:
        """The first broken rule, the topic, the number of words and the digest of an article."""
        text = article_text(title, content).lower()
        words = WORD.findall(text)
        known = frozenset(words)
        rule = self._broken(text, len(words), known, source, published, language)
        return Sifted(rule, self.topic(known), len(words), digest(" ".join(words)) if rule is None else None)

    def topic(self, words: frozenset[str]) -> str:
        """on: enough on-topic words and no off-topic one; off: no on-topic word; edge: everything between."""
        found = len(words & self.on)
        if not found:
            return "off"
        return "on" if found >= self.rules.topic.enough and not words & self.off else "edge"

    def _broken(
        self, text: str, count: int, words: frozenset[str], source: str, published: str | None, language: str | None
    ) -> str | None:
        rules = self.rules
        broken = (
            (count < rules.min_words, "too_few_words"),
            (count > rules.max_words, "too_many_words"),
            (bool(self.languages) and (language or language_of(words)) not in self.languages, "wrong_language"),
            (source in self.dropped_sources, "wrong_source"),
            (bool(self.kept_sources) and source not in self.kept_sources, "wrong_source"),
            (bool(published and rules.dates.first) and str(published) < str(rules.dates.first), "too_early"),
            (bool(published and rules.dates.last) and str(published) > str(rules.dates.last), "too_late"),
            (bool(words & self.drop_words), "dropped_word"),
            (any(finds(pattern, text) for pattern in self.drop_patterns), "dropped_pattern"),
        )
        for is_broken, name in broken:
            if is_broken:
                return name
        wanted = self.keeps_all or words & self.keep_words or any(finds(each, text) for each in self.keep_patterns)
        return None if wanted else "nothing_to_keep"


def broken_rule(sieve: Sieve, row: Mapping[str, Any], form: str) -> str | None:
    """The rule by which filter would have left out an article of a file that is no source; None for one that it keeps.

    An odd date or split, by which ingest rejects an article, breaks none, and hides none.
    """
    try:
        try:
            article = article_of(row, form)
        except NotAnArticle:
            article = article_of({name: each for name, each in row.items() if name not in {"published", "split"}}, form)
        title, content, source = (str(article[name]) for name in ("title", "content", "source"))
        return sieve.sift(title, content, source, article["published"], article["language"]).rule
    except (NotAnArticle, SourceError):  # a pattern that takes too long
        return None


def _compiled(rules: WordRules) -> tuple[frozenset[str], list[Any]]:
    return frozenset(word.lower() for word in rules.words), [compiled(each) for each in rules.patterns]


def compiled(pattern: str) -> Any:
    """A pattern for lower-case text, in which one without capitals need not ignore case: far faster.

    A character written as its number may be a capital. Raises `regex.error`.
    """
    maybe_capital = re.search(r"[^\W\d_a-z]|\\[xu0-7]", pattern)
    return regex.compile(pattern, regex.IGNORECASE if maybe_capital else 0)


def finds(pattern: Any, text: str) -> bool:
    """Whether a compiled pattern is found; raises SourceError when it takes too long to say."""
    try:
        return pattern.search(text, timeout=PATIENCE) is not None
    except TimeoutError:
        raise SourceError(
            f"the pattern {pattern.pattern!r} takes more than {PATIENCE:g} s on the text that begins {text[:60]!r}",
            where="prefilter.yaml of the filter",
            fix="write it without a repeat inside of a repeat, such as (\\w+ ?)+",
        ) from None


def is_slow(pattern: str) -> bool:
    """Whether a pattern backtracks without end on some text of a few repeated characters."""
    found = compiled(pattern)
    units = ("a", "a ", "word ", "1", "ab1", ".", " ", "-", "http://www.a.b/c ", *set(regex.findall(r"\w+", pattern)))
    try:
        for unit in sorted(units):
            for end in ("", "\n!", "! a", ". 1", "? x-y"):
                finds(found, unit.lower() * (PROBED // len(unit)) + end)
    except SourceError:
        return True
    return False


def language_of(words: Iterable[str]) -> str | None:
    """The language with the most of its frequent words among different lower-case words; None where none has three."""
    known = frozenset(words)
    found = {name: len(known & frequent) for name, frequent in _FUNCTION_WORDS.items()}
    best = max(found, key=lambda name: found[name])
    return best if found[best] >= 3 else None
