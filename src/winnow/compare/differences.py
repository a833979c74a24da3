"""Is a difference between two models real? Its uncertainty by the choice of test rows, and by the training's seed."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import norm, t

from winnow.compare.noise import params_digest, read_noise
from winnow.compare.revisions import Revision
from winnow.domains.load import domain_names, load
from winnow.judge.intervals import Interval, values
from winnow.judge.multiple_testing import holm
from winnow.judge.paired import Compared, paired_intervals, same_rows
from winnow.measure.direction import higher_is_better
from winnow.pipeline.errors import WinnowError

CONFIDENCE = 0.95
POWER = 0.8
RESAMPLES = 1000
TOLERANCE = 1e-5
"""Of a metric computed again: files are rounded to six digits, and machines differ."""
BETTER, WORSE, SAME, UNCLEAR = "better", "worse", "unchanged", "not distinguishable"


@dataclass(frozen=True)
class Difference:
    """One metric before and after a change."""

    metric: str
    before: float
    after: float
    interval: Interval | None
    """of the change, without the correction for looking at many metrics; None when it cannot be known"""
    p_value: float | None
    """None where nothing is known that could distinguish the change from chance"""
    decision: str = ""
    standard_error: float = math.nan
    freedom: float = math.inf
    """degrees of freedom of `standard_error`"""
    paired: bool = True
    """whether it was measured row by row; else the two test sets count as independent samples"""
    detectable: float | None = None
    """where nothing can be told, the size of a change that would be told in POWER of all cases"""


@dataclass(frozen=True)
class Comparison:
    """The metrics of one domain in two revisions, and what has to be said about them."""

    domain: str
    verdicts: tuple[str, str]
    differences: Sequence[Difference]
    notes: Sequence[str]
    headlines: tuple["Headline | None", "Headline | None"] = (None, None)
    """of both revisions; None for one that has not evaluated the domain"""
    other_data: bool = False
    """whether the two read other data, so that a difference may be that of the data"""


class Headline(NamedTuple):
    """The metric that a revision's gate names first."""

    metric: str
    value: float


def compare(domain: str, before: Revision, after: Revision) -> Comparison:
    """The gate's metrics in both revisions, the headline first, undecided: `decide` judges all domains at once.

    The metrics are the stored ones; a note tells where stored predictions give another value.

    Raises WinnowError when the later revision names a domain that it has no params of, or that is not installed here.
    """
    if domain not in domain_names():
        raise WinnowError(
            f"there is no domain `{domain}` here",
            where=after.title,
            fix="git checkout that revision, and compare there",
        )
    first, second = (each.json(f"metrics/{domain}/judgement.json") for each in (before, after))
    old, new = (
        each.json(f"metrics/{domain}/evaluate.json").keys() & judged.get("model", {})
        for each, judged in ((before, first), (after, second))
    )
    headlines = _headline(domain, before, first), _headline(domain, after, second)
    try:
        headline = after.yaml("params.yaml")[domain]["evaluate"]["gate"]["headline"]
    except (KeyError, TypeError):
        raise WinnowError(f"params.yaml has no {domain}.evaluate.gate.headline", where=after.title) from None
    names = sorted(old & new, key=lambda name: (name != headline, name))
    paired, why = _paired(domain, before, after, names)
    unpaired = [name for name in names if name not in paired and first["model"][name] != second["model"][name]]
    notes = [f"compared unpaired: {', '.join(unpaired)} ({why})"] if unpaired else []
    if old and new and old != new:
        notes.append(f"measured in only one of the two: {', '.join(sorted(old ^ new))}")
    notes += [note for each in (before, after) for note in _contradictions(domain, each)]
    ingested = [_digest(f"ingest@{domain}", f"data/{domain}/ingest", each) for each in (before, after)]
    if other_data := None not in ingested and ingested[0] != ingested[1]:
        notes.append("other data were ingested: a difference may be that of the data, not of the model")
    models = [_digest(f"train@{domain}", f"data/{domain}/train/model", each) for each in (before, after)]
    trained_again = None in models or models[0] != models[1]  # without dvc.lock, nobody knows that it is the same
    noise = None
    try:
        noise = read_noise(domain, after) or read_noise(domain, before)
    except WinnowError as error:
        notes.append(error.what)
    spreads = noise.standard_deviation if noise else {}
    confidences = [_confidence(domain, each) for each in (before, after)]
    digests = [params_digest(each.yaml("params.yaml"), domain) for each in (before, after)]
    if noise and noise.params not in digests:
        when = f"at {noise.commit[:7]}, with other params than either" if noise.params else "before winnow noted where"
        notes.append(f"the spread over training seeds was measured {when}: winnow noise {domain}")
    found = []
    for name in names:
        values = first["model"][name], second["model"][name]
        seeds = (spreads.get(name) or None) if trained_again else 0.0  # few equal trainings do not show that all are
        width = _standard_error(name, paired, (first, second), confidences)
        each = _difference(name, values, width, seeds, noise.seeds if noise else 0)
        found.append(replace(each, paired=name not in unpaired))
    verdicts = first.get("verdict", "none"), second.get("verdict", "none")
    notes += _undecided(domain, found, trained_again)
    return Comparison(domain, verdicts, found, notes, headlines, other_data)


def decide(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """The same with decisions: Holm's correction over all metrics of all domains that changed."""
    known = list(comparisons)
    everything = [each for one in known for each in one.differences if each.before != each.after]
    known_p = [each.p_value for each in everything if each.p_value is not None]
    adjusted = iter(holm(known_p))

    def decided(each: Difference) -> Difference:
        if each.before == each.after:
            return replace(each, decision=SAME)
        decision = UNCLEAR if each.p_value is None else _decision(each, next(adjusted))
        unseen = each.p_value is not None and decision == UNCLEAR
        return replace(each, decision=decision, detectable=_detectable(each, len(known_p)) if unseen else None)

    return [replace(one, differences=[decided(each) for each in one.differences]) for one in known]


def _decision(difference: Difference, p_value: float) -> str:
    if not p_value <= 1 - CONFIDENCE:  # NaN decides nothing
        return UNCLEAR
    return BETTER if (difference.after > difference.before) == higher_is_better(difference.metric) else WORSE


def _detectable(difference: Difference, tests: int) -> float | None:
    """The size of a change that would be told in POWER of all cases, among `tests` changes; None where unknown.

    By Holm's strictest level, so whatever the other changes are.
    """
    reach = t.ppf(1 - (1 - CONFIDENCE) / (2 * tests), difference.freedom) + t.ppf(POWER, difference.freedom)
    found = float(reach * difference.standard_error)
    return found if math.isfinite(found) else None


def _headline(domain: str, revision: Revision, judged: Mapping[str, Any]) -> Headline | None:
    """The revision's own headline metric; None where it has not been evaluated, or by another headline."""
    gate = ((revision.yaml("params.yaml").get(domain) or {}).get("evaluate") or {}).get("gate") or {}
    name = gate.get("headline")
    value = judged.get("model", {}).get(name)
    return None if name is None or value is None else Headline(name, value)


def _contradictions(domain: str, revision: Revision) -> Iterator[str]:
    """Files that are not what dvc.lock says, and stored metrics that stored predictions do not give."""
    judged = revision.json(f"metrics/{domain}/judgement.json").get("model", {})
    tables: tuple[Compared, ...] = load(domain, "metrics").COMPARED
    for compared in tables:
        table = revision.table(f"data/{domain}/{compared.path}")
        try:
            rows = table if table is None else compared.rows(table)
            again = {} if rows is None or not len(rows) else values(compared.statistics(rows), len(rows))
        except (KeyError, ValueError):  # of another version; `_paired_in` tells
            continue
        for name in sorted(again.keys() & judged.keys()):
            if not math.isclose(again[name], judged[name], rel_tol=TOLERANCE, abs_tol=TOLERANCE):
                yield (
                    f"{revision.title}: {name} is {judged[name]:.6g} in judgement.json, but the stored predictions "
                    f"give {again[name]:.6g}: dvc repro evaluate@{domain}"
                )
    folders = (f"data/{domain}/", f"metrics/{domain}/")
    yield from (f"{revision.title}: {note}" for path, note in revision.notes.items() if path.startswith(folders))


def _paired(domain: str, before: Revision, after: Revision, names: Sequence[str]) -> tuple[dict[str, Interval], str]:
    """The paired intervals of what stored tables give, and why other metrics have none."""
    found: dict[str, Interval] = {}
    reasons: list[str] = []
    tables: tuple[Compared, ...] = load(domain, "metrics").COMPARED
    for compared in tables:
        intervals, reason = _paired_in(domain, compared, before, after, names)
        found |= intervals
        reasons += [reason] if reason else []
    return found, "; ".join(dict.fromkeys(reasons)) or "their rows are not stored"


def _paired_in(
    domain: str, compared: Compared, before: Revision, after: Revision, names: Sequence[str]
) -> tuple[dict[str, Interval], str]:
    """The paired intervals that one table gives, or why it gives none."""
    tables = [each.table(f"data/{domain}/{compared.path}") for each in (before, after)]
    missing = [each.title for each, table in zip((before, after), tables, strict=True) if table is None]
    if missing:
        return {}, f"no stored predictions for {' and '.join(missing)}; `dvc pull` gets them from a remote"
    numbers = [
        [_digest(f"{stage}@{domain}", f"data/{domain}/{stage}", each) for stage in compared.numbered_by]
        for each in (before, after)
    ]
    try:
        first, second = (compared.rows(table) for table in tables if table is not None)
        if not len(first) and not len(second):
            return {}, ""
        if None in numbers[0] + numbers[1] or numbers[0] != numbers[1] or not same_rows(first, second, compared):
            return {}, f"{compared.whole} has changed"
        intervals = paired_intervals(
            compared, first, second, names, resamples=RESAMPLES, confidence=CONFIDENCE, rng=np.random.default_rng(0)
        )
    except (KeyError, ValueError) as error:  # another revision's evaluate may store other columns
        return {}, f"stored predictions cannot be paired: {type(error).__name__}: {error}"
    return intervals, ""


def _confidence(domain: str, revision: Revision) -> float:
    """That of the intervals in the revision's judgement.json, by dvc.lock."""
    locked = revision.locked_stages().get(f"evaluate@{domain}", {}).get("params", {}).get("params.yaml", {})
    found: float = locked.get(f"{domain}.evaluate", {}).get("bootstrap", {}).get("confidence", CONFIDENCE)
    return found


def _standard_error(
    name: str, paired: Mapping[str, Interval], judged: Sequence[Mapping[str, Any]], confidences: Sequence[float]
) -> float | None:
    """Of a metric's change, by the choice of the test rows; None when no interval is known.

    `judged` and `confidences` are those of both revisions.
    """
    if name in paired:
        return _spread(paired[name].low, paired[name].high, CONFIDENCE)
    own = [each.get("interval", {}).get(name) for each in judged]
    if None in own:
        return None
    ends = zip(own, confidences, strict=True)
    return math.hypot(*(_spread(bounds["low"], bounds["high"], confidence) for bounds, confidence in ends))


def _spread(low: float, high: float, confidence: float) -> float:
    """The standard deviation of what is normal and lies between `low` and `high` in this share of cases."""
    return float((high - low) / (2 * norm.ppf((1 + confidence) / 2)))


def _difference(
    name: str, values: tuple[float, float], rows: float | None, seeds: float | None, trainings: int
) -> Difference:
    """A metric's change; `rows` and `seeds` are standard deviations, the latter of one training, from `trainings`.

    Both trainings carry the noise of their seed. Student's t with Welch and Satterthwaite's degrees of freedom. Where
    a standard deviation is not known (None), or both are zero, there is no p-value.
    """
    before, after = values
    if rows is None:
        return Difference(name, before, after, None, None)
    noise = 2 * (seeds or 0.0) ** 2
    spread = math.sqrt(rows**2 + noise)
    freedom = spread**4 / (noise**2 / (trainings - 1)) if noise else math.inf
    reach = float(t.ppf((1 + CONFIDENCE) / 2, freedom)) * spread
    known = seeds is not None and spread > 0
    p_value = float(2 * t.sf(abs(after - before) / spread, freedom)) if known else None
    bounds = Interval(after - before - reach, after - before + reach)
    return Difference(name, before, after, bounds, p_value, standard_error=spread, freedom=freedom)


def _undecided(domain: str, differences: Iterable[Difference], trained_again: bool) -> Iterator[str]:
    """Why nothing can be decided about metrics that changed."""
    changed = [each for each in differences if each.before != each.after and each.p_value is None]
    if names := [each.metric for each in changed if each.interval is None]:
        yield f"no interval is known of {', '.join(names)}: nothing is decided about it"
    if names := [each.metric for each in changed if each.interval is not None]:
        why = "the interval has no width"
        if trained_again:
            why = f"the spread over training seeds is not known, or was zero (winnow noise {domain})"
        yield f"nothing is decided about {', '.join(names)}: {why}"


def _digest(stage: str, path: str, revision: Revision) -> str | None:
    """The digest of a stage's output in dvc.lock."""
    outs = revision.locked_stages().get(stage, {}).get("outs", [])
    digest: str | None = {out["path"]: out["md5"] for out in outs}.get(path)
    return digest
