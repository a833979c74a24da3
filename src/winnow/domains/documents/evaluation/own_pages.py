"""The assessor judged on a user's own labelled pages, without those that it was trained or validated on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from winnow.domains.documents import definitions
from winnow.domains.documents.definitions import Floats
from winnow.domains.documents.inputs import reason
from winnow.domains.documents.judging import judge_pages, verdict_of
from winnow.domains.documents.metrics import issue_statistics, statistics
from winnow.domains.documents.model.estimates import SEEN, Estimates, load_assessor
from winnow.domains.documents.source import formats
from winnow.domains.documents.source.files import documents_of_source
from winnow.domains.documents.source.pages import page_hash, readable_pages
from winnow.domains.documents.tables import Seen
from winnow.images.alike import print_map, same_map
from winnow.images.codec import ImageError, Pixels
from winnow.judge.intervals import Interval, Statistic, bootstrap, values
from winnow.pipeline.console import say
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.tables import read_table

RESAMPLES, CONFIDENCE, SEED = 1000, 0.95, 0
"""Of the intervals on a user's own pages."""


def judge_data(path: Path, folder: Path, device: torch.device) -> dict[str, Any]:
    """The assessor's metrics on a labelled folder (or its CSV), without pages that it was trained or validated on.

    Each metric with its interval over documents and, where it is a share of some pages alone, their number. Pages of
    which only issues are known count in the metrics of issues alone. Raises SourceError, and WinnowError when nothing
    is left to judge.
    """
    listing = formats.read("labelled", path)
    model, calibration = load_assessor(device, folder)
    seen = read_table(folder / SEEN, Seen)
    rejected, known_pages = [why for _, _, why in listing.rejected], 0
    parts: list[Estimates] = []
    verdicts: list[str] = []
    rows: list[dict[str, Any]] = []
    of_name = documents_of_source([record.name for record in listing.records])
    say(f"judging {len(listing.records):,} files …")
    for record in tqdm(listing.records, unit=" files", disable=None, leave=False):
        assert isinstance(record.content, Path)
        try:
            pages, unread = readable_pages(record.content.read_bytes(), record.content.suffix, model.preparation)
        except (ImageError, OSError) as error:
            rejected.append(reason(error))
            continue
        rejected += [f"{record.name}: {why}" for why in unread]
        new = _unseen(pages, seen)
        known_pages += len(pages) - len(new)
        if not new:
            continue
        found, measures = judge_pages(model, calibration, new)
        parts.append(found)
        score = np.nan if record.label is None else definitions.CENTRES[record.label]
        flags = [np.nan if record.issues is None else float(issue in record.issues) for issue in definitions.ISSUES]
        for number, facts in enumerate(measures):
            one = Estimates(*(figures[number] for figures in found))
            verdicts.append(verdict_of(one, facts, model, calibration)[0])
            own = score if record.score is None else record.score
            rows.append({"document": record.document or of_name[record.name], "score": own, "flags": flags})
    if not parts:
        reasons = [*sorted(set(rejected))[:3], *[f"{known_pages} seen in training"] * bool(known_pages)]
        tables = (path, path / formats.METADATA, *sorted(path.glob("*.csv")))
        table = next((each for each in tables if each.is_file()), path)
        raise WinnowError(
            f"no page of {path} can be judged: {'; '.join(reasons)}",
            fix=f"check {table} and its files, and name pages that the model was not trained on",
        )
    joined = Estimates(*(np.concatenate(each) for each in zip(*parts, strict=True)))
    true = np.array([row["score"] for row in rows], dtype=np.float64)
    flagged = np.array([row["flags"] for row in rows], dtype=np.float64)
    labels = definitions.class_of(true[~np.isnan(true)])
    documents = [row["document"] for row in rows]
    predicted = definitions.class_of(joined.score[~np.isnan(true)])
    told = definitions.collapse(predicted.tolist(), labels.tolist())
    metrics, intervals = _metrics(true, flagged, joined, calibration.retake_below, model.decision.flag_from, documents)
    return {
        "pages": {
            "in_source": len(rejected) + known_pages + len(rows),
            "rejected": len(rejected),
            "seen_in_training": known_pages,
            "judged": len(rows),
        },
        "reasons": sorted(set(rejected)),
        "documents": len(set(documents)),
        "acceptable_sent_back": int(((true >= definitions.ACCEPTABLE_FROM) & (np.array(verdicts) == "retake")).sum()),
        "unacceptable": int((true < definitions.ACCEPTABLE_FROM).sum()),
        "acceptable": int((true >= definitions.ACCEPTABLE_FROM).sum()),
        "warnings": [told] if told else [],
        "by_class": {name: int((labels == number).sum()) for number, name in enumerate(definitions.CLASSES)},
        "by_issue": dict(zip(definitions.ISSUES, (flagged == 1).sum(axis=0).tolist(), strict=True)),
        "verdicts": {verdict: verdicts.count(verdict) for verdict in definitions.VERDICTS},
        "threshold": calibration.retake_below,
        "metrics": metrics,
        "intervals": {name: {"low": each.low, "high": each.high} for name, each in intervals.items()},
    }


def _metrics(
    scores: Floats, flags: Floats, found: Estimates, retake_below: float, flag_from: float, documents: list[str]
) -> tuple[dict[str, float], dict[str, Interval]]:
    """Those of the rows whose score is known, and those of the issues whose flags are; `scores`, `flags` may be NaN.

    With the intervals over documents, which need two.
    """
    known, groups = ~np.isnan(scores), np.array(documents)
    of_score: dict[str, Statistic] = {}
    if known.any():
        rows = pd.DataFrame(found.probabilities[known], columns=definitions.probability_columns()).assign(
            true_score=scores[known],
            true_label=definitions.class_of(scores[known]),
            score=found.score[known],
            label=definitions.class_of(found.score[known]),
            rejected=found.score[known] < retake_below,
        )
        of_score = statistics(rows)
    metrics: dict[str, float] = {}
    intervals: dict[str, Interval] = {}
    of_issues = issue_statistics(flags, found.severities, flag_from)
    for each, drawn in ((of_score, groups[known]), (of_issues, groups)):
        metrics |= values(each, len(drawn))
        if each and len(set(drawn)) > 1:
            rng, rows_drawn = np.random.default_rng(SEED), len(drawn)
            intervals |= bootstrap(each, rows_drawn, resamples=RESAMPLES, confidence=CONFIDENCE, rng=rng, groups=drawn)
    return metrics, intervals


def _unseen(pages: Sequence[Pixels], seen: pd.DataFrame) -> list[Pixels]:
    """The pages that show something else than those that the model was trained or validated on.

    Seen is what looks alike and has its print at the same places: another filling of a form is a new page.
    """
    hashes = np.array([list(bytes.fromhex(text)) for text in seen["perceptual_hash"]], dtype=np.uint8)
    limit = int(seen["max_hash_distance"].iloc[0])

    def known(page: Pixels) -> bool:
        own, bits = print_map(page), np.frombuffer(bytes.fromhex(page_hash(page)), np.uint8)
        near = np.flatnonzero(np.bitwise_count(hashes ^ bits).sum(axis=1) <= limit)
        return any(same_map(own, bytes.fromhex(seen["print_map"].iloc[place])) for place in near)

    return [page for page in pages if not known(page)]
