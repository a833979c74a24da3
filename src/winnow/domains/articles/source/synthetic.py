"""
The embedded data: articles whose latent dimensions show in their words.

An on-topic article has a strength per dimension; the stronger it is, the more of the dimension's keywords (the filter's
`config.yaml` names them) stand in its sentences. Some keywords are denied ("no rights …") and do not count, so that a
list of words alone does not determine the score. Off-topic articles use the filter's off-topic words.
"""

import json
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from winnow.domains.articles.definitions import Definition
from winnow.domains.articles.params import Synthetic
from winnow.domains.articles.source.formats import COLUMNS, Listing

NAMES = [
    "Ada",
    "Berlin",
    "Cleo",
    "Dakar",
    "Emil",
    "Fatima",
    "Goa",
    "Hanoi",
    "Ines",
    "Jakob",
    "Kyoto",
    "Lima",
    "Mara",
    "Nairobi",
    "Oslo",
    "Paula",
]
THINGS = [
    "school",
    "river",
    "bridge",
    "clinic",
    "library",
    "market",
    "harbour",
    "orchard",
    "station",
    "garden",
    "theatre",
    "workshop",
]
FRAMES = (
    "In {name} they spoke of {words}.",
    "The {thing} stands for {words}.",
    "A report on the {thing} tells of {words}.",
    "There was {words} at the {thing}.",
)
DENIALS = ("In {name} there was no {words}.", "The {thing} did without {words}.")
FILLERS = (
    "The {thing} in {name} opens at nine.",
    "It was raining in {name} and at the {thing}.",
    "The meeting at the {thing} was not long.",
    "{name} is known for its {thing}.",
)
NEGATIONS = ("no", "without")
"""A keyword right after one of these does not count."""

STRONGEST = 5
"""Keywords of a dimension at full strength."""
DENIED_SHARE = 0.15
SENTENCES = 18
"""Of an article, unless it mentions more: so the length does not reveal the score."""
LISTED = 3
"""Keywords of a sentence."""
HUMAN_NOISE = 0.5
"""Standard deviation, in points of ten, of the scores given by people."""


def counted(words: Sequence[str], keywords: Sequence[str]) -> int:
    """How many of the keywords occur in the lower-case words, denied ones left out."""
    wanted = frozenset(keywords)
    pairs = zip(["", *words], words, strict=False)
    return len({word for before, word in pairs if word in wanted and before not in NEGATIONS})


def score_words(text: str, definition: Definition) -> dict[str, float]:
    """Score of each dimension by its keywords: the scale's low end without one, the high end with `STRONGEST`."""
    words = re.findall(r"\w+", text.lower())
    scale = definition.config.scale
    return {
        each.name: scale.low + scale.width * min(counted(words, each.keywords) / STRONGEST, 1.0)
        for each in definition.config.dimensions
    }


def make(params: Synthetic, definition: Definition, rng: np.random.Generator) -> Listing:
    """Articles, and for some of them scores given by people."""
    repeats = round(params.articles * params.duplicate_share)
    texts = [_article(params, definition, rng) for _ in range(params.articles - repeats)]
    for original in rng.choice(len(texts), size=repeats):
        title, content = texts[int(original)]
        texts.append((title, f"{content} {_sentence(FILLERS, '', rng)}"))
    width = len(str(params.articles))
    ids = [f"drawn-{number:0{width}d}" for number in range(len(texts))]
    rows = [
        (name, title, content, f"paper-{rng.integers(12):02d}", _day(rng), "en", None, json.dumps({"drawn": True}))
        for name, (title, content) in zip(ids, texts, strict=True)
    ]
    judged = sorted(rng.permutation(len(ids))[: round(params.human_share * len(ids))].tolist())
    scale = definition.config.scale
    scores = [
        (ids[index], name, float(np.clip(score + rng.normal(0, HUMAN_NOISE * scale.width / 10), scale.low, scale.high)))
        for index in judged
        for name, score in score_words(" ".join(texts[index]), definition).items()
    ]
    return Listing(
        pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(COLUMNS, "str")),
        pd.DataFrame(scores, columns=["article_id", "dimension", "score"]).astype(
            {"article_id": "str", "dimension": "str", "score": "float64"}
        ),
        pd.DataFrame({"row": pd.Series(dtype="int64"), "reason": pd.Series(dtype="str")}),
        len(rows),
    )


def _article(params: Synthetic, definition: Definition, rng: np.random.Generator) -> tuple[str, str]:
    topic = definition.prefilter.topic
    kind = rng.random()
    sentences: list[str] = []
    if kind < params.on_topic_share:
        overall = rng.beta(1.5, 1.5)
        told: list[str] = []
        denied: list[str] = []
        for dimension in definition.config.dimensions:
            strength = float(np.clip(overall + rng.normal(0, 0.3), 0, 1))
            count = min(int(rng.binomial(STRONGEST, strength)), len(dimension.keywords))
            for word in rng.choice(dimension.keywords, size=count, replace=False):
                (denied if rng.random() < DENIED_SHARE else told).append(str(word))
        told = [told[index] for index in rng.permutation(len(told))]
        sentences += [_sentence(FRAMES, ", ".join(told[at : at + LISTED]), rng) for at in range(0, len(told), LISTED)]
        sentences += [_sentence(DENIALS, word, rng) for word in denied]
        about = [
            str(word)
            for word in rng.choice(topic.on_topic, size=min(topic.enough + 1, len(topic.on_topic)), replace=False)
        ]
    elif kind < params.on_topic_share + params.edge_share:
        about = [str(rng.choice(topic.on_topic)), *(str(rng.choice(each)) for each in [topic.off_topic] if each)]
    else:
        about = [str(word) for word in rng.choice(topic.off_topic or THINGS, size=2)]
    sentences += [_sentence(FRAMES, word, rng) for word in about]
    sentences += [_sentence(FILLERS, "", rng) for _ in range(SENTENCES - len(sentences))]
    order = rng.permutation(len(sentences))
    title = f"{rng.choice(NAMES)}: {about[0]} and the {rng.choice(THINGS)}"
    return title, " ".join(sentences[index] for index in order)


def _sentence(frames: Sequence[str], words: str, rng: np.random.Generator) -> str:
    frame = frames[int(rng.integers(len(frames)))]
    return frame.format(name=rng.choice(NAMES), thing=rng.choice(THINGS), words=words)


def _day(rng: np.random.Generator) -> str:
    return str(np.datetime64("2024-01-01") + int(rng.integers(700)))
