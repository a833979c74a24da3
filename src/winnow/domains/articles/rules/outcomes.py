"""What labelling finds and costs: articles with their scores or the reason why there are none, and what was paid."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from winnow.domains.articles.params import Prices
from winnow.domains.articles.rules.oracles import Reply, Tokens

NONE = Tokens(0, 0, 0, 0)
CAP = "not reached: max_cost_usd"


class Article(NamedTuple):
    article_id: str
    title: str
    content: str


@dataclass(frozen=True)
class Labelled:
    """What an oracle said of an article."""

    article_id: str
    scores: Mapping[str, float] | None
    """None when no answer kept to the schema"""
    failures: tuple[str, ...] = ()
    """why each malformed answer was one"""
    refusal: str | None = None
    """why there is no answer at all"""
    answer: str = ""
    """the beginning of the last malformed answer"""
    retired: str = ""
    """why the first answer of all was malformed, if it was asked for again since (`label --retry malformed`)"""

    @property
    def reason(self) -> str:
        """Why there are no scores."""
        return self.refusal or f"malformed answer: {self.failures[-1]}"

    @property
    def first_failure(self) -> str | None:
        """Why the first request brought no scores; None when it did."""
        return self.failures[0] if self.failures else self.refusal

    @property
    def first_failure_ever(self) -> str | None:
        """The same, of the first time that it was asked: asking again does not mend a prompt."""
        return self.retired or self.first_failure

    @property
    def outcome(self) -> str:
        if self.scores is not None:
            return "scored"
        return "not reached" if self.refusal == CAP else "refused" if self.refusal else "malformed"


def mean_of(answers: Sequence[Labelled]) -> Labelled:
    """Several answers about an article as one: the mean of those with scores.

    An article that the cap has cut short is not reached: a mean of fewer answers would be another label.
    """
    first = answers[0]
    if len(answers) == 1:
        return first
    refusal = CAP if any(each.refusal == CAP for each in answers) else None
    failures = tuple(reason for each in answers for reason in each.failures)
    retired = next((each.retired for each in answers if each.retired), "")
    scored = [each.scores for each in answers if each.scores is not None]
    if refusal or not scored:
        refusal = refusal or next((each.refusal for each in answers if each.refusal), None)
        answer = next((each.answer for each in answers if each.answer), "")
        return Labelled(first.article_id, None, failures, refusal, answer, retired)
    means = {name: math.fsum(each[name] for each in scored) / len(scored) for name in scored[0]}
    return Labelled(first.article_id, means, failures, retired=retired)


@dataclass
class Use:
    """Answers and what they cost, whether they were paid now or before; each once, however often it is read.

    Costs are those of the tokens' sums, which are whole numbers: the order in which answers arrive changes no digit.
    """

    prices: Prices
    requests: int = 0
    tokens: Tokens = NONE
    tokens_now: Tokens = NONE
    batched: Tokens = NONE
    """those of the tokens that came through the Batch API, which costs less"""
    batched_now: Tokens = NONE
    kept: int = 0
    """answers that an earlier run had stored"""
    malformed: int = 0
    """answers that broke the schema"""
    estimated: int = 0
    """answers whose tokens the server did not count"""
    lost_usd: float = 0.0
    """the most that requests without an answer may have cost: the provider knows"""

    def add(self, reply: Reply, *, now: bool, malformed: bool) -> None:
        self.requests += 1
        self.kept += not now
        self.tokens = self.tokens.plus(reply.tokens)
        self.malformed += malformed
        self.estimated += reply.estimated
        self.batched = self.batched.plus(reply.tokens) if reply.batched else self.batched
        if now:
            self.tokens_now = self.tokens_now.plus(reply.tokens)
            self.batched_now = self.batched_now.plus(reply.tokens) if reply.batched else self.batched_now

    @property
    def cost_usd(self) -> float:
        return self.tokens.cost(self.prices) - self._saved(self.batched)

    @property
    def paid_now_usd(self) -> float:
        return self.tokens_now.cost(self.prices) - self._saved(self.batched_now)

    def _saved(self, batched: Tokens) -> float:
        return (1 - self.prices.batch_share) * batched.cost(self.prices)


def told_of(found: Sequence[Labelled], use: Use) -> str:
    """The line at the end: articles by outcome, and what their answers cost."""
    outcomes = [each.outcome for each in found]
    counts = {name: outcomes.count(name) for name in ("scored", "malformed", "refused", "not reached")}
    listed = ", ".join(f"{count} {name}" for name, count in counts.items() if count or name != "not reached")
    told = f"{len(found)} articles: {listed}; {use.requests} answers, of which {use.malformed} malformed"
    if use.kept:
        told += f" and {use.kept} kept from earlier runs"
    if use.cost_usd:
        told += f", ${use.cost_usd:.4f}, of which ${use.paid_now_usd:.4f} paid now"
    if use.estimated:
        told += f" (tokens of {use.estimated} answers estimated)"
    if use.lost_usd:
        told += f"; requests without an answer may have cost up to ${use.lost_usd:.4f} more"
    return told
