"""The ledger of calibration rounds: each prompt that was tried, its verdict and what it cost.

It is in `.winnow/`, which Git ignores: `winnow articles label` reads in it whether a prompt has passed.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from winnow.pipeline.errors import WinnowError
from winnow.pipeline.ledger import state_folder

NO_ORACLE = (
    "the oracle `rules` is for the embedded data: it counts the filter's `keywords` and reads no prompt. Name another "
    "one (articles.label.oracle; your own server costs nothing), or use scores that you have "
    "(articles.label.use_scores)"
)
"""What helps where a prompt was given to no oracle."""
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
    gates: str = ""
    """hash of the targets; empty in a round of an earlier version"""


def ledger_file() -> Path:
    return state_folder() / "articles" / "rounds.jsonl"


def record(entry: Round) -> None:
    file = ledger_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as ledger:
        ledger.write(json.dumps(asdict(entry)) + "\n")


def rounds(name: str) -> list[Round]:
    """The rounds of a filter, oldest first. Raises WinnowError at a line that is no round."""
    file = ledger_file()
    if not file.exists():
        return []
    lines = file.read_text(encoding="utf-8").splitlines()
    found = (_round(line, f"{file}:{number}") for number, line in enumerate(lines, 1) if line.endswith("}"))
    return [each for each in found if each.filter == name]


def _round(line: str, where: str) -> Round:
    try:
        return Round(**json.loads(line))
    except (ValueError, TypeError) as error:  # another version's, or edited
        fix = "remove the line; a prompt whose PASS it held is calibrated again"
        raise WinnowError(f"this line of the ledger is no calibration round ({error})", where=where, fix=fix) from None


def has_passed(name: str, prompt: str, oracle: str, gates: str) -> bool:
    """Whether the last finished round with this very prompt and oracle passed, and by these targets."""
    own = [each for each in rounds(name) if (each.prompt, each.oracle, each.gates) == (prompt, oracle, gates)]
    verdicts = [each.verdict for each in own if each.verdict != STOPPED]
    return verdicts[-1:] == ["PASS"]


def summary(name: str) -> str:
    """What was calibrated so far and paid for it: `3 prompts or oracles tried for uplifting/v1 so far, $0.15`."""
    found = rounds(name)
    cost, tried = sum(each.paid_usd for each in found), len({(each.prompt, each.oracle) for each in found})
    told = "1 prompt" if tried == 1 else f"{tried} prompts or oracles"
    return f"{told} tried for {name} so far" + (f", ${cost:.2f}" if cost else "")
