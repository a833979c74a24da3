"""The gate before batch labelling: calibrate on a small sample, validate on a fresh one, report, and decide."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pandas as pd

from winnow.domains.articles.params import Calibration
from winnow.domains.articles.rules import rounds
from winnow.domains.articles.rules.calibration import CalibrationResult, Comparison, compare, measure
from winnow.domains.articles.rules.calibration_report import Origin, render
from winnow.domains.articles.rules.duplicates import resemble
from winnow.domains.articles.rules.labelling import Labeller, announce
from winnow.domains.articles.rules.outcomes import Article, Labelled
from winnow.domains.articles.rules.questions import Variant
from winnow.domains.articles.rules.samples import draw_samples, probe_articles
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import write_text

RESEMBLES = 0.6
"""Jaccard similarity of word triples from which an article is one of the prompt's examples."""
REPORT = Path("metrics", "articles", "calibration_report.md")


class PromptRefusedError(WinnowError):
    """A prompt did not pass."""


@dataclass(frozen=True)
class Outcome:
    """What the gate found."""

    calibration: CalibrationResult
    validation: CalibrationResult | None
    """None when the calibration sample was not passed, and nothing was asked about the other"""
    comparison: Comparison | None
    oracle: str
    report: str
    """the page, which is in metrics/ whatever the verdict, and in no output of a stage: trainings do not read it"""

    @property
    def word(self) -> str:
        return self.comparison.word if self.comparison else self.calibration.word

    @property
    def repeats(self) -> pd.DataFrame:
        """The columns of `Repeats`, of both samples."""
        samples = [each for each in (self.calibration, self.validation) if each is not None]
        found = pd.concat([each.repeats for each in samples if len(each.repeats)] or [self.calibration.repeats])
        return found.sort_values(["article_id", "dimension"], ignore_index=True)

    @property
    def decision(self) -> str:
        return self.comparison.decision if self.comparison else "revise the prompt"

    @property
    def has_malformed(self) -> bool:
        """Whether too many first answers broke the schema."""
        samples = [each for each in (self.calibration, self.validation) if each is not None]
        return any(check.name == "parse_failures" and check.word != "PASS" for each in samples for check in each.checks)

    @property
    def reasons(self) -> list[str]:
        return self.comparison.reasons if self.comparison else self.calibration.reasons


def calibrate(
    labeller: Labeller, kept: pd.DataFrame, texts: pd.DataFrame, human: pd.DataFrame, params: Calibration, name: str
) -> Outcome:
    """Steps 1 to 3: label both samples (the second only when the first passes), write the report, record the round.

    `kept` is a `Kept` table, `texts` has title and content by article_id, `human` is a `Scores` table.
    """
    definition = labeller.definition
    labeller.collect()  # the samples' questions may be in it: an edit of the prefilter draws others
    shown = [each.content for each in definition.examples]
    is_shown = resemble(texts.loc[kept["article_id"], "content"], shown, similarity=RESEMBLES)
    groups = kept.loc[is_shown, "duplicate_group"]
    fresh = kept[~kept["duplicate_group"].isin(groups)]
    first, second = draw_samples(fresh, params, human["article_id"].unique())
    prompt, oracle = labeller.prompt, labeller.judged
    word, decision = rounds.STOPPED, "run it again: what was answered is kept"
    try:
        calibration = _examine(labeller, first, texts, human, params)
        validation, comparison = None, None
        if calibration.word == "PASS":
            validation = _examine(labeller, second, texts, human, params)
            comparison = compare(calibration, validation, params.tolerance, definition.config.scale.width)
        about = Origin(name, prompt, oracle, labeller.use.requests, labeller.use.cost_usd)
        report = render(about, calibration, validation, comparison, texts)
        outcome = Outcome(calibration, validation, comparison, oracle, report)
        word, decision = outcome.word, outcome.decision
    finally:  # also of a round that the cap, the server or Ctrl+C has stopped: it has cost something
        rounds.record(rounds.Round(name, prompt, oracle, word, decision, labeller.use.paid_now_usd, labeller.gates))
    write_text(REPORT, report)
    print(f"calibration of {name}: {outcome.word}, {outcome.decision} ({rounds.summary(name)})", file=sys.stderr)
    return outcome


def require_pass(outcome: Outcome, *, are_reasons_told: bool = False) -> None:
    """Raise PromptRefusedError, with the reasons unless they are told already, unless both samples passed."""
    if outcome.word != "PASS":
        cure = "read the report, revise the filter's prompt.md, and run `winnow articles calibrate` until it passes"
        if outcome.oracle.startswith("rules/"):
            cure = rounds.NO_ORACLE
        elif outcome.has_malformed:
            cure += (
                ". If the server was at fault and is mended: `winnow articles label --retry all` has everything asked, "
                "and paid, again; `--retry malformed` only the malformed answers, whose first attempts stay counted. "
                "If it will always refuse so many: raise `articles.label.calibration.gates.parse_failures`; nothing is "
                "asked again for that"
            )
        told = f"the oracle's prompt did not pass ({outcome.word}: {outcome.decision}); nothing more was asked"
        reasons = [] if are_reasons_told else [f"    {reason}" for reason in outcome.reasons]
        raise PromptRefusedError(
            [told + (":" if reasons else ""), *reasons],
            where=str(REPORT),
            fix=cure,
        )


def _examine(
    labeller: Labeller, sample: pd.DataFrame, texts: pd.DataFrame, human: pd.DataFrame, params: Calibration
) -> CalibrationResult:
    names = {"plain": sample["article_id"].tolist(), **probe_articles(sample, params.probes)}
    asked = {cast("Variant", variant): _articles(own, texts) for variant, own in names.items()}
    announce(labeller, ((article, variant) for variant, own in asked.items() for article in own))
    found: dict[str, list[Labelled]] = {name: labeller.label_all(own, name) for name, own in asked.items()}
    labelled = found.pop("plain")
    return measure(labeller.definition, sample, labelled, found, human, params.gates)


def _articles(names: Sequence[str], texts: pd.DataFrame) -> list[Article]:
    rows = texts.loc[list(names)]
    return [Article(str(row.Index), str(row.title), str(row.content)) for row in rows.itertuples()]
