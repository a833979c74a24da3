"""The documented score, its parts, the classes and the verdict, against figures worked out by hand."""

import re
from collections import deque
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from winnow.domains.documents import definitions
from winnow.domains.documents.definitions import Decision, class_of, severity_score
from winnow.domains.documents.definitions import decide as judge
from winnow.domains.documents.inference import stopped, whole_documents

ISSUES = definitions.ISSUES


def severities(**values: float) -> np.ndarray:
    return np.array([values.get(issue, 0.0) for issue in ISSUES])


@pytest.mark.parametrize(
    ("values", "score", "legibility", "framing"),
    [
        ({}, 1.0, 1.0, 1.0),
        ({"blur": 0.4}, 0.6, 0.6, 1.0),
        ({"blur": 0.4, "noise": 0.2, "glare": 0.2}, 1 - 0.4 - 0.25 * 0.4, 0.5, 1.0),
        ({"cropped": 0.6, "blur": 0.2}, 1 - 0.6 - 0.25 * 0.2, 0.8, 0.4),
        ({"skew": 0.1, "cropped": 0.5}, 1 - 0.5 - 0.025, 1.0, 0.475),
        ({"blur": 1.0, "noise": 1.0}, 0.0, 0.0, 1.0),
    ],
)
def test_the_score_is_the_worst_severity_and_a_quarter_of_the_others(
    values: dict[str, float], score: float, legibility: float, framing: float
) -> None:
    found = severities(**values)
    assert severity_score(found) == pytest.approx(score)
    assert severity_score(found, definitions.LEGIBILITY) == pytest.approx(legibility)
    assert severity_score(found, definitions.FRAMING) == pytest.approx(framing)
    assert severity_score(found) <= min(legibility, framing) + 1e-12


@pytest.mark.parametrize(
    ("predicted", "true", "told"),
    [([2, 2, 2], [0, 2, 4], True), ([2, 2, 3], [0, 2, 4], False), ([2, 2], [2, 2], False), ([], [], False)],
)
def test_one_class_for_pages_of_several_is_a_collapse(predicted: list[int], true: list[int], told: bool) -> None:
    found = definitions.collapse(predicted, true)
    assert ("collapsed" in found) == told
    assert (definitions.CLASSES[2] in found) == told


def test_more_damage_never_raises_the_score() -> None:
    rng = np.random.default_rng(0)
    some = rng.random((200, 10))
    more = np.minimum(some + rng.random((200, 10)) * (rng.random((200, 10)) < 0.3), 1)
    assert (severity_score(more) <= severity_score(some) + 1e-12).all()


def test_classes_are_fifths_and_an_edge_belongs_to_the_better_one() -> None:
    assert class_of([1.0, 0.8, 0.79, 0.6, 0.4, 0.39, 0.2, 0.19, 0.0]).tolist() == [0, 0, 1, 1, 2, 3, 3, 4, 4]
    assert class_of(definitions.CENTRES).tolist() == [0, 1, 2, 3, 4]
    assert definitions.class_key("Very Poor") == "very_poor"


def test_the_verdict_names_its_reasons_the_worst_issue_first() -> None:
    decision = Decision(flag_from=0.2, accept_from=0.6, warn_severity=0.5, min_text_height=8, blank_below=0.0005)
    decide = partial(judge, text_height=12.0, printed_share=0.1)
    found = severities(blur=0.3, glare=0.45, skew=0.1)
    verdict, reasons = decide(0.3, found, 0.35, decision)
    assert verdict == "retake"
    assert reasons == [
        "score 0.30 is below the retake threshold 0.35", "glare (severity 0.45)", "blur (severity 0.30)"
    ]  # fmt: skip
    assert decide(0.5, found, 0.35, decision)[0] == "warn"
    assert decide(0.7, found, 0.35, decision) == (
        "accept", ["score 0.70 is 0.60 or above", "glare (severity 0.45)", "blur (severity 0.30)"]
    )  # fmt: skip
    assert decide(0.7, severities(cropped=0.5), 0.35, decision) == ("warn", ["cropped (severity 0.50)"])
    early = replace(decision, flag_from=0.3, warn_severity=0.1)
    assert decide(0.7, severities(blur=0.2), 0.35, early) == ("warn", ["blur (severity 0.20)"])
    assert decide(0.35, severities(), 0.35, decision)[0] == "warn"  # the threshold itself is not below it


@pytest.mark.parametrize(
    ("score", "retake_below", "told"),
    [
        (0.5951, 0.35, "score 0.595 is below 0.600"),
        (0.59, 0.35, "score 0.59 is below 0.60"),
        (0.59996, 0.35, "score 0.59996 is below 0.60000"),
        (0.3499, 0.35, "score 0.3499 is below the retake threshold 0.3500"),
    ],
)
def test_a_number_is_never_told_to_be_below_itself(score: float, retake_below: float, told: str) -> None:
    decision = Decision(flag_from=0.2, accept_from=0.6, warn_severity=0.5, min_text_height=8, blank_below=0.0005)
    _, reasons = judge(score, severities(), retake_below, decision, text_height=9.0, printed_share=0.1)
    assert reasons == [told]
    _, (small,) = judge(0.9, severities(), 0.35, decision, text_height=7.96, printed_share=0.1)
    assert re.findall(r"[0-9.]+", small) == ["7.96", "8"]


def test_the_rows_of_a_document_wait_for_its_verdict_and_keep_their_order() -> None:
    def entry(number: int, document: str, verdict: str = "") -> dict[str, Any]:
        last = {"document_pages": 2, "document_verdict": verdict} if verdict else {}
        return {"number": number, "document": document, **last}

    waiting: deque[dict[str, Any]] = deque()
    given = [entry(0, "a"), entry(1, "b"), entry(2, "b", "warn"), entry(3, "a", "retake"), entry(4, "c")]
    found = list(whole_documents(iter(given), waiting))
    assert [(each["number"], each["document_verdict"]) for each in found] == [
        (0, "retake"), (1, "warn"), (2, "warn"), (3, "retake"),
    ]  # fmt: skip
    assert list(waiting) == [entry(4, "c")], "what Ctrl+C leaves"
    left = stopped([entry(0, "a"), entry(1, "b"), entry(2, "b", "warn")])
    assert [each.get("document_verdict") for each in left] == [None, "warn", "warn"], "b is whole"


def test_a_blank_page_and_text_that_is_too_small_have_verdicts_of_their_own() -> None:
    decision = Decision(flag_from=0.2, accept_from=0.6, warn_severity=0.5, min_text_height=8, blank_below=0.0005)
    fine = severities()
    assert judge(0.9, fine, 0.35, decision, text_height=8.0, printed_share=0.0005)[0] == "accept"
    verdict, (reason,) = judge(0.9, fine, 0.35, decision, text_height=7.0, printed_share=0.1)
    assert verdict == "retake"
    assert "text is too small" in reason
    assert "7 pixels" in reason
    assert judge(0.9, fine, 0.35, decision, text_height=0.0, printed_share=0.1)[0] == "accept"  # too little to tell
    for score in (0.9, 0.1):
        assert judge(score, fine, 0.35, decision, text_height=0.0, printed_share=0.0004)[0] == "blank"
