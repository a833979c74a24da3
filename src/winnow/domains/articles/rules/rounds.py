"""The ledger of calibration rounds: each prompt that was tried, its verdict and what it cost.

It is in `.winnow/`, which Git ignores: `winnow articles label` reads in it whether a prompt has passed.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from winnow.pipeline.ledger import state_folder

STOPPED = "STOPPED"
"""The verdict of a round that was not finished."""


@dataclass(frozen=True)
class Round:
    """One calibration."""

    filter: str
    prompt: str
    """hash of the prompt and its schema"""
    oracle: str
    verdict: str
    decision: str
    paid_usd: float
    """what this round paid, answers that were stored before left out"""


def ledger_file() -> Path:
    return state_folder() / "articles" / "rounds.jsonl"


def record(entry: Round) -> None:
    file = ledger_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as ledger:
        ledger.write(json.dumps(asdict(entry)) + "\n")


def rounds(name: str) -> list[Round]:
    """The rounds of a filter, oldest first."""
    file = ledger_file()
    if not file.exists():
        return []
    lines = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.endswith("}"))
    return [Round(**line) for line in lines if line["filter"] == name]


def has_passed(name: str, prompt: str, oracle: str) -> bool:
    """Whether the last finished round with this very prompt and oracle passed."""
    own = [each for each in rounds(name) if (each.prompt, each.oracle) == (prompt, oracle)]
    verdicts = [each.verdict for each in own if each.verdict != STOPPED]
    return verdicts[-1:] == ["PASS"]


def summary(name: str) -> str:
    """Rounds and cost so far, such as `3 rounds of uplifting/v1 so far, $0.15`."""
    found = rounds(name)
    cost = sum(each.paid_usd for each in found)
    return f"{len(found)} round{'s' * (len(found) != 1)} of {name} so far, ${cost:.2f}"
