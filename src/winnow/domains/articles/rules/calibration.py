"""The figures that say whether an oracle's prompt may be trusted, and the verdict on them.

Differences, shifts and separations are shares of the scale's width, so that one set of targets serves any scale.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from winnow.domains.articles.definitions import Definition, overall_scores, scoring_of, wide_scores
from winnow.domains.articles.params import Gates
from winnow.domains.articles.rules.bounds import HIGHER_IS_BETTER
from winnow.domains.articles.rules.outcomes import Labelled
from winnow.judge.intervals import wilson
from winnow.measure.regression import pearson_correlation

WORDS = ("PASS", "REVIEW", "FAIL")
DEAD = 0.05
"""Standard deviation, as a share of the scale, up to which a dimension hardly varies."""
SAME = 0.985
"""Correlation, of either sign, from which one dimension repeats another."""
REPEATS = ["article_id", "dimension", "first", "second"]
PAIRS = 3
"""Pairs of dimensions that are named."""
FEWEST_HUMAN = 8
"""Articles with human scores from which agreement is measured."""


class Check(NamedTuple):
    """One figure and its result."""

    name: str
    value: float
    target: float
    review: float
    word: str
    evidence: str
    advice: str
    """what to change in the prompt when it does not pass"""


@dataclass(frozen=True)
class Agreement:
    """Of one dimension with human scores, in points."""

    dimension: str
    rows: int
    correlation: float
    """NaN where one side is constant"""
    offset: float
    """mean of oracle - human"""
    mae: float
    mae_without_offset: float
    """what remains when the constant offset is taken away: disorder"""


@dataclass(frozen=True)
class CalibrationResult:
    """All that one labelled sample shows."""

    checks: list[Check]
    agreement: list[Agreement]
    means: Mapping[str, float]
    """mean overall score by topic, in points"""
    overall: pd.DataFrame
    """article_id, topic, overall: of the articles with an answer"""
    failures: list[tuple[str, str]]
    """article_id and reason of first requests that brought no scores"""
    counts: Mapping[str, int] = field(default_factory=dict)
    """articles of the sample by topic"""
    repeats: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=REPEATS))
    """the columns of `Repeats`: of the articles that were asked about twice"""

    @property
    def word(self) -> str:
        return WORDS[max(WORDS.index(check.word) for check in self.checks)]

    @property
    def reasons(self) -> list[str]:
        """What did not pass, worst first."""
        bad = [check for check in self.checks if check.word != "PASS"]
        return [f"{check.word}: {check.evidence}" for check in sorted(bad, key=lambda each: -WORDS.index(each.word))]


ADVICE = {
    "parse_failures": "Demand JSON with exactly the dimensions' keys, or raise oracle.max_tokens.",
    "separation": "Tell the oracle first to decide whether an article is on-topic, and what to score it if it is not.",
    "off_topic_high": "Name the kinds of articles below as out of scope, with the score they get.",
    "extreme_scores": "Describe what the middle of the scale means; say that its ends are rare.",
    "dead_dimensions": "Describe low, middle and high scores of these dimensions, or drop them.",
    "duplicate_dimensions": "Say how these dimensions differ, or keep one of them.",
    "repeat_difference": "Set the temperature to 0 and give criteria that can be counted.",
    "order_shift": "Ask to score each dimension on its own, whatever the order.",
    "length_shift": "Say that the length of an article is no evidence.",
    "injection_shift": "Say that text in the article that addresses the oracle is part of the article.",
    "human_correlation": "Compare the worst cases below with the people's scores, and give such cases as examples.",
    "human_offset": "The order is right, the level is not: give examples of two or three scores of these dimensions.",
}


def tabulate(labelled: Sequence[Labelled]) -> pd.DataFrame:
    """Scores `(articles with an answer, dimensions)` by article_id."""
    rows = {each.article_id: each.scores for each in labelled if each.scores is not None}
    return pd.DataFrame.from_dict(rows, orient="index").sort_index().rename_axis("article_id")


def measure(
    definition: Definition,
    sample: pd.DataFrame,
    labelled: Sequence[Labelled],
    probes: Mapping[str, Sequence[Labelled]],
    human: pd.DataFrame,
    gates: Gates,
) -> CalibrationResult:
    """The checks of a labelled sample. `sample` has article_id and topic; `human` is a `Scores` table, maybe empty."""
    scale = definition.config.scale
    scores = tabulate(labelled)
    failures = [(each.article_id, each.first_failure_ever) for each in labelled if each.first_failure_ever]
    probed = [each for answers in probes.values() for each in answers]
    broken, asked = len(failures) + sum(bool(each.first_failure_ever) for each in probed), len(labelled) + len(probed)
    told = f"{broken} of {asked} answers broke the schema or were refused at the first attempt, {_range(broken, asked)}"
    found = [_check(gates, "parse_failures", broken / asked, told)]
    counts = {str(name): int(count) for name, count in sample["topic"].value_counts().items()}
    if len(scores) < 3:
        empty = pd.DataFrame({"article_id": [], "topic": [], "overall": []})
        return CalibrationResult(found, [], {}, empty, failures, counts)
    topic = sample.set_index("article_id")["topic"].reindex(scores.index)
    overall = pd.Series(overall_scores(scores[definition.names], scoring_of(definition.config)), index=scores.index)
    means = {str(name): float(value) for name, value in overall.groupby(topic).mean().items()}
    found += _topic_checks(gates, scores[definition.names], topic, means, scale.low, scale.high)
    extremes = scores[topic == "on"].isin([scale.low, scale.high]).to_numpy()
    share = float(extremes.mean()) if extremes.size else 0.0
    found.append(_check(gates, "extreme_scores", share, f"{share:.0%} of the scores of on-topic articles are "
                        f"{scale.low:g} or {scale.high:g}"))  # fmt: skip
    found += _dimension_checks(gates, scores[definition.names], scale.width)
    found += _probe_checks(gates, scores, probes, scale.width)
    agreement = human_agreement(scores[definition.names], human)
    if agreement:
        found += _agreement_checks(gates, agreement, scale.width)
    table = pd.DataFrame({"article_id": scores.index, "topic": topic.to_numpy(), "overall": overall.to_numpy()})
    repeats = _repeats(labelled, probes.get("repeat", []))
    return CalibrationResult(found, agreement, means, table, failures, counts, repeats)


def _repeats(labelled: Sequence[Labelled], again: Sequence[Labelled]) -> pd.DataFrame:
    """The columns of `Repeats`."""
    known = {each.article_id: each.scores for each in labelled if each.scores is not None}
    rows = [
        (each.article_id, name, known[each.article_id][name], score)
        for each in again
        if each.article_id in known
        for name, score in (each.scores or {}).items()
    ]
    return pd.DataFrame(rows, columns=REPEATS)


def _range(count: int, rows: int) -> str:
    """What a share in a small sample says of all articles, by Wilson's interval."""
    found = wilson(count, rows, 0.95)
    return f"which in all articles may be {found.low:.0%} to {found.high:.0%}"


def _check(gates: Gates, name: str, value: float, evidence: str) -> Check:
    bound = getattr(gates, name)
    sign = 1 if name in HIGHER_IS_BETTER else -1
    grade = 0 if sign * value >= sign * bound.target else 1 if sign * value >= sign * bound.review else 2
    return Check(name, float(value), bound.target, bound.review, WORDS[grade], evidence, ADVICE[name])


def _topic_checks(
    gates: Gates, scores: pd.DataFrame, topic: "pd.Series[str]", means: Mapping[str, float], low: float, high: float
) -> list[Check]:
    on, off = means.get("on", low), means.get("off", high)
    middle = (low + high) / 2
    shares = (scores[topic == "off"] > middle).mean() if (topic == "off").any() else pd.Series(1.0, scores.columns)
    highest, rows = str(shares.idxmax()), int((topic == "off").sum())
    return [
        _check(gates, "separation", (on - off) / (high - low),
               f"on-topic articles score {on:.2f} on average, off-topic ones {off:.2f}"),
        _check(gates, "off_topic_high", float(shares[highest]),
               f"{shares[highest]:.0%} of the off-topic articles score above {middle:g} in {highest}, the most of all"
               f"{', ' + _range(round(float(shares[highest]) * rows), rows) if rows else ''}"),
    ]  # fmt: skip


def _dimension_checks(gates: Gates, scores: pd.DataFrame, width: float) -> list[Check]:
    spread = scores.std(ddof=0) / width
    dead = [str(name) for name in scores.columns if spread[name] <= DEAD]
    same = [
        f"{one} and {other}"
        for one, other in combinations(map(str, scores.columns), 2)
        if scores[one].equals(scores[other])
        or (not {one, other} & {*dead} and abs(pearson_correlation(scores[one], scores[other])) >= SAME)
    ]
    repeated = [*same[:PAIRS], *([f"{len(same) - PAIRS} more pairs"] if len(same) > PAIRS else [])]
    return [
        _check(gates, "dead_dimensions", len(dead), f"dimensions that hardly vary: {', '.join(dead) or 'none'}"),
        _check(gates, "duplicate_dimensions", len(same),
               f"dimensions that repeat each other: {'; '.join(repeated) or 'none'}"),
    ]  # fmt: skip


def _probe_checks(
    gates: Gates, scores: pd.DataFrame, probes: Mapping[str, Sequence[Labelled]], width: float
) -> list[Check]:
    found = []
    for variant, name, text in (
        ("repeat", "repeat_difference", "asked twice, scores differ by {:.2f} points on average"),
        ("reversed", "order_shift", "with the dimensions in reverse order scores differ by {:.2f} points on average"),
        ("doubled", "length_shift", "with the text standing there twice scores move by {:+.2f} points on average"),
        ("injected", "injection_shift", "a sentence demanding the top score moves off-topic scores by {:+.2f} points"),
    ):
        again = tabulate(probes.get(variant, []))
        both = again.index.intersection(scores.index)
        if not len(both):
            found.append(_check(gates, name, 1.0, f"none of the answers to the probe `{variant}` can be compared"))
            continue
        apart = (again.loc[both, scores.columns] - scores.loc[both]).to_numpy()
        points = float(np.abs(apart).mean() if variant in ("repeat", "reversed") else apart.mean())
        found.append(_check(gates, name, abs(points) / width, text.format(points)))
    return found


def human_agreement(scores: pd.DataFrame, human: pd.DataFrame) -> list[Agreement]:
    """Agreement of each dimension; empty with fewer than `FEWEST_HUMAN` articles that have both."""
    own = human[human["article_id"].isin(scores.index)]
    if own["article_id"].nunique() < FEWEST_HUMAN:
        return []
    people = wide_scores(own, list(scores.columns))
    return agreement_of(scores.loc[people.index], people)


def agreement_of(oracle: pd.DataFrame, people: pd.DataFrame) -> list[Agreement]:
    """Agreement of each column of two tables of the same rows, with a constant offset apart from errors of order."""
    found = []
    for name in people.columns:
        apart = (oracle[name] - people[name]).to_numpy(dtype=np.float64)
        found.append(
            Agreement(
                str(name),
                len(apart),
                pearson_correlation(oracle[name], people[name]),
                float(apart.mean()),
                float(np.abs(apart).mean()),
                float(np.abs(apart - apart.mean()).mean()),
            )
        )
    return found


def _agreement_checks(gates: Gates, agreement: Sequence[Agreement], width: float) -> list[Check]:
    known = {each.dimension: float(np.nan_to_num(each.correlation)) for each in agreement}
    least = min(known, key=lambda name: known[name])
    worst = max(agreement, key=lambda each: abs(each.offset))
    return [
        _check(gates, "human_correlation", known[least],
               f"{least} agrees least with the scores of people: its correlation is {known[least]:.2f} on "
               f"{agreement[0].rows} articles, and {np.mean(list(known.values())):.2f} on average over the dimensions"),
        _check(gates, "human_offset", abs(worst.offset) / width,
               f"{worst.dimension} lies {worst.offset:+.2f} points from the scores of people, a constant offset: the "
               f"mean error is {worst.mae:.2f}, and {worst.mae_without_offset:.2f} without it"),
    ]  # fmt: skip


class _Separation(NamedTuple):
    points: float
    error: float
    """standard error of the points, from the spread within on-topic and off-topic articles"""


def _separation(found: CalibrationResult) -> _Separation:
    groups = [found.overall.loc[found.overall["topic"] == topic, "overall"].to_numpy(float) for topic in ("on", "off")]
    if min(len(group) for group in groups) < 2:
        return _Separation(0.0, 0.0)
    errors = [group.var(ddof=1) / len(group) for group in groups]
    return _Separation(float(groups[0].mean() - groups[1].mean()), float(np.sqrt(sum(errors))))


class Comparison(NamedTuple):
    """Calibration ↔ validation."""

    word: str
    decision: str
    """proceed, overfitted, or start over"""
    reasons: list[str]


def compare(
    calibration: CalibrationResult, validation: CalibrationResult, tolerance: float, width: float
) -> Comparison:
    """Whether the prompt does as well on fresh articles as on those it was written for.

    Close to calibration: proceed. Worse by more than the tolerance, and by more than two standard errors of the
    samples: overfitted. Below the targets: start over.
    """
    worse = []
    before, after = (_separation(each) for each in (calibration, validation))
    least = max(tolerance * width, 2 * float(np.hypot(before.error, after.error)))
    if before.points - after.points > least:
        worse.append(
            f"on-topic articles lie {before.points:.2f} points above off-topic ones on the calibration sample, and "
            f"{after.points:.2f} on fresh articles"
        )
    before_after = [{check.name: check for check in each.checks} for each in (calibration, validation)]
    first, second = (each.get("human_correlation") for each in before_after)
    if first and second and first.word == "PASS" != second.word:
        worse.append(f"the lowest correlation with people falls from {first.value:.2f} to {second.value:.2f}")
    overfitted = [f"the prompt is overfitted to the calibration sample: {reason}" for reason in worse]
    if validation.word == "FAIL" or (validation.word == "REVIEW" and not worse):
        return Comparison(validation.word, "start over", [*overfitted, *validation.reasons])
    if worse:
        return Comparison("REVIEW", "overfitted", [*overfitted, *validation.reasons])
    return Comparison("PASS", "proceed", ["fresh articles are scored as the calibration sample was"])
