"""Asking an oracle about many articles: each answer is stored when it arrives, what it costs is capped and counted."""

import json
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

from winnow.domains.articles.definitions import Definition
from winnow.domains.articles.params import Oracle as Settings
from winnow.domains.articles.params import Prices
from winnow.domains.articles.rules.oracles import Oracle, Reply, Tokens
from winnow.domains.articles.rules.questions import MalformedAnswer, Question, Variant, parse_answer, question
from winnow.pipeline.cache import KeptAnswers
from winnow.pipeline.errors import WinnowError

NONE = Tokens(0, 0, 0)


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
    failures: tuple[str, ...]
    """why each malformed answer was one"""


@dataclass
class Use:
    """Answers and what they cost, whether they were paid now or before; each once, however often it is read.

    Costs are those of the tokens' sums, which are whole numbers: the order in which answers arrive changes no digit.
    """

    prices: Prices
    requests: int = 0
    tokens: Tokens = NONE
    tokens_now: Tokens = NONE
    counted: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    """keys of all answers, and of those that broke the schema"""

    def add(self, key: str, reply: Reply, *, now: bool) -> bool:
        """Whether the answer was not counted yet."""
        if key in self.counted:
            return False
        self.counted.add(key)
        self.requests += 1
        self.tokens = self.tokens.plus(reply.tokens)
        if now:
            self.tokens_now = self.tokens_now.plus(reply.tokens)
        return True

    @property
    def malformed(self) -> int:
        """Answers that broke the schema."""
        return len(self.broken)

    @property
    def cost_usd(self) -> float:
        return self.tokens.cost(self.prices)

    @property
    def paid_now_usd(self) -> float:
        return self.tokens_now.cost(self.prices)


@dataclass
class Budget:
    """A cap on what is paid: each request reserves the most that it may cost before it is sent."""

    max_usd: float
    spent: float = 0.0
    reserved: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reserve(self, cost: float) -> None:
        """Raises WinnowError when the cap would be passed."""
        with self.lock:
            if cost and self.spent + self.reserved + cost > self.max_usd:
                raise WinnowError(
                    f"the next answer may cost ${cost:.4f}, but of max_cost_usd ${self.max_usd:.2f} "
                    f"${self.spent:.4f} is spent and ${self.reserved:.4f} is under way",
                    where="params.yaml: articles.label.max_cost_usd",
                    fix="raise it, or lower oracle.max_tokens or max_characters; what was answered is kept",
                )
            self.reserved += cost

    def settle(self, reserved: float, paid: float) -> None:
        with self.lock:
            self.reserved -= reserved
            self.spent += paid


class Labeller:
    """An oracle with its store of answers (None where they cost nothing) and its budget."""

    def __init__(
        self, oracle: Oracle, kept: KeptAnswers | None, definition: Definition, settings: Settings, max_cost_usd: float
    ) -> None:
        self.oracle, self.kept, self.definition, self.settings = oracle, kept, definition, settings
        self.budget = Budget(max_cost_usd)
        self.use = Use(settings.prices)
        self._lock = threading.Lock()
        self._under_way = threading.Semaphore(settings.concurrency)

    @property
    def judged(self) -> str:
        """What a calibration judges besides the prompt: who answers, and how much of an article is sent."""
        return f"{self.oracle.name}, {self.settings.max_characters} characters"

    def estimate(self, articles: Iterable[Article]) -> tuple[int, float]:
        """Questions about these articles that no stored answer answers, and what they may cost at most."""
        count, most = 0, 0.0
        for asked in self._unanswered(articles, "plain"):
            count, most = count + 1, most + self.oracle.highest_cost(asked)
        return count, most

    def _unanswered(self, articles: Iterable[Article], variant: Variant) -> Iterator[Question]:
        """The questions without a stored answer. Those with one are counted as spent, before anything new is asked."""
        for article in articles:
            asked = self._question(article, variant)
            key = asked.key(self.oracle.name, 0)
            if self.kept is None or self.kept.find(key) is None:
                yield asked
            else:
                self._answer(asked, key)

    def label_all(self, articles: Sequence[Article], variant: Variant = "plain") -> Iterator[Labelled]:
        """`label` of each article, in order, several at a time. The first error stops it; what was answered is kept."""
        deque(self._unanswered(articles, variant), maxlen=0)
        width = 1 if self.settings.provider == "rules" else self.settings.concurrency
        if width == 1:
            yield from (self.label(article, variant) for article in articles)
            return
        pending: deque[Future[Labelled]] = deque()
        pool = ThreadPoolExecutor(2 * width)  # as many wait for the disk as for the oracle
        try:
            for article in articles:
                pending.append(pool.submit(self.label, article, variant))
                if len(pending) >= 4 * width:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def label(self, article: Article, variant: Variant = "plain") -> Labelled:
        """Ask until an answer keeps to the schema, `parse_retries` times more at most."""
        asked = self._question(article, variant)
        failures: list[str] = []
        for attempt in range(self.settings.parse_retries + 1):
            key = asked.key(self.oracle.name, attempt)
            answer = self._answer(asked, key)
            try:
                return Labelled(article.article_id, parse_answer(answer, self.definition), tuple(failures))
            except MalformedAnswer as reason:
                failures.append(str(reason))
                with self._lock:
                    self.use.broken.add(key)
        return Labelled(article.article_id, None, tuple(failures))

    def _answer(self, asked: Question, key: str) -> str:
        """The stored answer, or a new one, which is paid and stored.

        A stored answer counts against the cap too: a run that the cap has stopped, started again, is stopped again.
        """
        asked_now = False

        def ask() -> str:
            nonlocal asked_now
            most, cost = self.oracle.highest_cost(asked), 0.0
            self.budget.reserve(most)
            try:
                reply = self.oracle.ask(asked)
                cost = reply.tokens.cost(self.settings.prices)
                asked_now = True
            finally:
                self.budget.settle(most, cost)
            return json.dumps({"text": reply.text, **reply.tokens._asdict()})

        with self._under_way:
            stored = json.loads(self.kept.obtain(key, ask) if self.kept else ask())
        if self.kept and asked_now:
            self.kept.flush()
        reply = Reply(stored.pop("text"), Tokens(**stored))
        with self._lock:
            is_new = self.use.add(key, reply, now=asked_now)
        if is_new and not asked_now:
            self.budget.settle(0.0, reply.tokens.cost(self.settings.prices))
        return reply.text

    def _question(self, article: Article, variant: Variant) -> Question:
        return question(
            self.definition,
            article.title,
            article.content,
            max_characters=self.settings.max_characters,
            variant=variant,
        )


def announce(labeller: Labeller, articles: Iterable[Article]) -> None:
    """Print what the questions about these articles will cost: at most, and as the answers so far go.

    Raises WinnowError when going by the answers so far it is more than what is left of the cap.
    """
    count, most = labeller.estimate(articles)
    use, left = labeller.use, labeller.budget.max_usd - labeller.budget.spent
    about = min(most, count * use.cost_usd / use.requests) if use.requests else None
    if most > 0:
        guess = "" if about is None else f"about ${about:.2f}, "
        print(f"{count} articles to ask about: {guess}at most ${most:.2f}; ${left:.2f} left", file=sys.stderr)
    if about is not None and about > left:
        raise WinnowError(
            f"{count} articles would cost about ${about:.2f}, and ${left:.2f} of max_cost_usd are left",
            where="params.yaml: articles.label.max_cost_usd",
            fix="raise it, or label fewer batches (max_batches)",
        )
