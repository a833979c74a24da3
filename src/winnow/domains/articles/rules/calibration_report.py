"""The calibration report: the verdict with its evidence, as Markdown that depends on the samples alone."""

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from winnow.domains.articles.definitions import plain
from winnow.domains.articles.rules.calibration import FEWEST_HUMAN, CalibrationResult, Check, Comparison

QUOTED = 5
EXCERPT = 160
"""Characters of an article that are quoted."""

TOPIC_NAMES = {"on": "on-topic", "off": "off-topic", "edge": "edge cases"}

MARKS = {"PASS": "✅ PASS", "REVIEW": "⚠️ REVIEW", "FAIL": "❌ FAIL"}


class Origin(NamedTuple):
    """What was calibrated, and what it took: all answers, whether paid now or before."""

    filter: str
    prompt: str
    oracle: str
    requests: int
    cost_usd: float


def render(
    about: Origin,
    calibration: CalibrationResult,
    validation: CalibrationResult | None,
    comparison: Comparison | None,
    texts: pd.DataFrame,
) -> str:
    """The report. `texts` has title and content by article_id."""
    verdict = comparison.word if comparison else calibration.word
    lines = [
        f"# Calibration of {about.filter}: {MARKS[verdict]}",
        "",
        f"Prompt `{about.prompt}`, oracle `{about.oracle}`; {about.requests} answers, ${about.cost_usd:.4f}.",
        "",
        *_decision(verdict, comparison),
        "",
        f"## Calibration sample: {MARKS[calibration.word]}",
        "",
        *_section(calibration, texts),
    ]
    if validation is not None and comparison is not None:
        lines += [
            f"## Validation sample (fresh articles): {MARKS[validation.word]}",
            "",
            *_section(validation, texts),
            "## Calibration against validation",
            "",
            *(f"- {reason}" for reason in comparison.reasons),
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


def _decision(verdict: str, comparison: Comparison | None) -> Iterator[str]:
    if comparison is None:
        yield "The prompt has to be revised: the calibration sample did not pass. No fresh articles were asked about."
    elif verdict == "PASS":
        yield "Both samples passed: batch labelling may begin."
    elif comparison.decision == "overfitted":
        yield "The prompt does worse on fresh articles than on those it was written for: give it fewer special cases."
    else:
        yield (
            "The prompt misses its targets on fresh articles: start over. Revise prompt.md, or mend the server if "
            "that is at fault, and run `winnow articles calibrate` again; a revised prompt is asked about both samples "
            "anew."
        )


def _section(found: CalibrationResult, texts: pd.DataFrame) -> Iterator[str]:
    listed = ", ".join(f"{found.counts.get(topic, 0)} {name}" for topic, name in TOPIC_NAMES.items())
    people = "measured" if found.agreement else f"not checked, fewer than {FEWEST_HUMAN} articles have their scores"
    yield f"Articles: {listed}. Agreement with people: {people}."
    yield ""
    yield "| check | value | target | review | result | evidence |"
    yield "|---|---|---|---|---|---|"
    for check in found.checks:
        bounds = f"{check.target:g} | {check.review:g}"
        yield f"| {check.name} | {check.value:.3f} | {bounds} | {check.word} | {check.evidence} |"
    yield ""
    yield from _advice([check for check in found.checks if check.word != "PASS"])
    if found.agreement:
        yield "| dimension | articles | correlation with people | offset | mean error | without the offset |"
        yield "|---|---|---|---|---|---|"
        for each in found.agreement:
            yield (
                f"| {each.dimension} | {each.rows} | {each.correlation:.2f} | {each.offset:+.2f} | {each.mae:.2f} | "
                f"{each.mae_without_offset:.2f} |"
            )
        yield ""
    yield from _worst(found, texts)
    if found.failures:
        yield "Requests without a readable answer:"
        yield ""
        yield from (
            f"- {plain(article, EXCERPT)}: {plain(reason, EXCERPT)}" for article, reason in found.failures[:QUOTED]
        )
        yield ""


def _advice(checks: list[Check]) -> Iterator[str]:
    if checks:
        yield "What to change:"
        yield ""
        yield from (f"- {check.name}: {check.advice}" for check in checks)
        yield ""


def _worst(found: CalibrationResult, texts: pd.DataFrame) -> Iterator[str]:
    """The off-topic articles with the highest scores and the on-topic ones with the lowest."""
    for topic, highest_first, title in (
        ("off", True, "Off-topic articles with the highest scores"),
        ("on", False, "On-topic articles with the lowest scores"),
    ):
        rows = found.overall[found.overall["topic"] == topic]
        rows = rows.sort_values(["overall", "article_id"], ascending=[not highest_first, True]).head(QUOTED)
        if len(rows):
            yield f"{title}:"
            yield ""
            for name, overall in zip(rows["article_id"], rows["overall"], strict=True):
                head, text = (plain(texts.loc[name, column], EXCERPT) for column in ("title", "content"))
                yield f"- {overall:.2f} – {head}: {text}"
            yield ""
