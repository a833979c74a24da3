"""What the words of document quality mean: the issues, the score and the five classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

Floats = NDArray[np.float64]

ISSUES = (
    "blur",
    "noise",
    "low_contrast",
    "uneven_illumination",
    "skew",
    "compression",
    "low_resolution",
    "stains_or_ink",
    "cropped",
    "glare",
)
FRAMING = ("skew", "cropped")
"""Issues of how the page is placed in the picture; all others are issues of legibility."""
LEGIBILITY = tuple(issue for issue in ISSUES if issue not in FRAMING)

FURTHER = 0.25
"""How much every issue but the worst one counts in the score."""

CLASSES = ("High", "Good", "Moderate", "Poor", "Very Poor")
"""Best first; class k holds the scores from 0.8 - 0.2 k up to 1 - 0.2 k."""
CENTRES = (0.9, 0.7, 0.5, 0.3, 0.1)
"""The middle of each class's scores."""
EDGES = (0.8, 0.6, 0.4, 0.2)
"""The lowest score of each class but the last."""
ACCEPTABLE_FROM = 0.4
"""A page whose true score is lower (Poor, Very Poor) should be taken again."""

LABELLED = "labelled"
"""The source whose pages bring labels of their own."""
COPY = "@"
"""Between a clean page's id and the number of its copy."""

VERDICTS = ("accept", "warn", "retake", "blank")
Verdict = Literal["accept", "warn", "retake", "blank"]

Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Preparation:
    """How a file becomes the page that is judged."""

    max_side: Annotated[int, Field(ge=128, le=10_000)]
    """pixels of the longer side of an A4 page; larger pages are reduced, smaller ones stay as they are"""
    pdf_dpi: Annotated[int, Field(ge=30, le=600)]
    """resolution at which PDF pages without a scan in them are rendered"""


@dataclass(frozen=True)
class Tiling:
    """Which parts of a page the network sees."""

    patches: Annotated[int, Field(ge=1, le=64)]
    """number of patches at the page's own resolution"""
    patch_size: Annotated[int, Field(ge=32, le=1024)]
    """pixels a side"""
    choice: Literal["inked", "grid"]
    """where they are taken: where most edges are, or evenly over the page"""
    views: tuple[Annotated[int, Field(ge=32, le=2048)], ...]
    """sides of the square pictures of the whole page"""


@dataclass(frozen=True)
class Decision:
    """What turns a score and severities into a verdict; `Calibration` adds the threshold chosen on validation."""

    flag_from: Share
    """severity from which an issue is flagged"""
    accept_from: Share
    """score below which a page is not accepted without a warning"""
    warn_severity: Share
    """severity from which a single issue is warned about"""
    min_text_height: Annotated[float, Field(ge=0, le=1000)]
    """pixels of the capital letters below which text is too small, whatever the score"""
    blank_below: Share
    """share of printed pixels below which a page is blank"""


def severity_score(severities: ArrayLike, issues: tuple[str, ...] = ISSUES) -> Floats:
    """The score `(…,)` of severities `(…, 10)` in the order of `ISSUES`: 1 - min(1, worst + 0.25 × the others' sum).

    With `issues` only these count: `LEGIBILITY` gives how well the page can be read, `FRAMING` how it lies in the
    picture. The score of all issues is never above the lower one of the two.
    """
    chosen = np.asarray(severities, dtype=np.float64)[..., [ISSUES.index(issue) for issue in issues]]
    worst = chosen.max(axis=-1)
    return np.asarray(1 - np.minimum(1, worst + FURTHER * (chosen.sum(axis=-1) - worst)), dtype=np.float64)


def class_of(score: ArrayLike) -> NDArray[np.int64]:
    """The class, 0 (High) to 4 (Very Poor), of each score; an edge belongs to the better class."""
    values = np.asarray(score, dtype=np.float64)
    return np.asarray((values[..., None] < np.array(EDGES)).sum(axis=-1), dtype=np.int64)


def collapse(predicted: Sequence[int], true: Sequence[int]) -> str:
    """What is said of predicted classes when pages of several true classes all get one; else nothing."""
    given = set(predicted)
    if len(given) > 1 or len(set(true)) < 2:
        return ""
    name = CLASSES[int(given.pop())]
    return f"⚠ predictions have collapsed: all {len(predicted)} pages are classed as {name}, whatever they are"


def class_key(name: str) -> str:
    """A class's name in a metric's: `very_poor`."""
    return name.lower().replace(" ", "_")


def probability_columns() -> list[str]:
    """Columns of the five class probabilities in a table of predictions."""
    return [f"p_{class_key(name)}" for name in CLASSES]


def severity_columns() -> list[str]:
    """Columns of the ten predicted severities in a table of predictions."""
    return [f"severity_{issue}" for issue in ISSUES]


def flag_columns() -> list[str]:
    """The columns of tables that hold whether each issue is really there: 1, 0, or missing where unknown."""
    return [f"flag_{issue}" for issue in ISSUES]


def apart(one: float, other: float, digits: int = 2) -> tuple[str, str]:
    """Two different numbers as text, with the least decimals, from `digits` on, by which a reader can tell them."""
    while f"{one:.{digits}f}" == f"{other:.{digits}f}" and one != other:
        digits += 1
    return f"{one:.{digits}f}", f"{other:.{digits}f}"


def decide(
    score: float,
    severities: ArrayLike,
    retake_below: float,
    decision: Decision,
    *,
    text_height: float,
    printed_share: float,
) -> tuple[Verdict, list[str]]:
    """The verdict on a page and its reasons, the worst issue first; never without one.

    `blank` for a page with nothing on it; `retake` for text that is too small (`text_height` 0 says that there is too
    little text to tell) and below the threshold; `warn` for a score below `accept_from` or an issue as severe as
    `warn_severity`; otherwise `accept`, and flagged issues are named all the same.
    """
    if printed_share < decision.blank_below:
        return "blank", ["nothing is printed on the page"]
    values = np.asarray(severities, dtype=np.float64)
    named_from = min(decision.flag_from, decision.warn_severity)
    flagged = [int(place) for place in np.argsort(-values, kind="stable") if values[place] >= named_from]
    named = [f"{ISSUES[place]} (severity {values[place]:.2f})" for place in flagged]
    if 0 < text_height < decision.min_text_height:
        height, _ = apart(text_height, decision.min_text_height, 0)
        small = f"text is too small: its capitals are about {height} pixels high"
        return "retake", [f"{small}, and {decision.min_text_height:g} are needed", *named]
    if score < retake_below:
        return "retake", ["score {} is below the retake threshold {}".format(*apart(score, retake_below)), *named]
    if score < decision.accept_from:
        return "warn", ["score {} is below {}".format(*apart(score, decision.accept_from)), *named]
    if values.max() >= decision.warn_severity:
        return "warn", named
    return "accept", [f"score {score:.2f} is {decision.accept_from:.2f} or above", *named]
