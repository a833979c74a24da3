"""Asking an oracle about many articles: each answer is stored when it arrives, what it costs is capped and counted.

Threads send requests and nothing else; all that is decided, counted and stored is decided in the calling thread.
"""

import math
import sys
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple, Protocol, cast

from winnow.domains.articles.definitions import Definition
from winnow.domains.articles.params import Label, Prices
from winnow.domains.articles.rules.batches import LARGEST_FILE, BatchOracle, SentBatch, batch_line, collect, send
from winnow.domains.articles.rules.oracles import NoAnswer, Oracle, OracleError, Refused, Reply, Tokens
from winnow.domains.articles.rules.questions import MalformedAnswer, Question, Variant, hash_of, parse_answer, question
from winnow.learn.interrupt import Interrupted, StopRequest
from winnow.pipeline.cache import content_key
from winnow.pipeline.errors import WinnowError

NONE = Tokens(0, 0, 0, 0)
WINDOW = 100
"""Articles over which the brake looks back."""
CHANCE = 1e-6
"""How likely a window may be that stops a run though no more fail than the filter allows: a run sees many windows."""
QUOTED = 200
"""Characters of a malformed answer that are shown."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 600.0
"""Seconds before the first further try, doubled at each; and the longest that a server may ask for."""
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

    @property
    def reason(self) -> str:
        """Why there are no scores."""
        return self.refusal or f"malformed answer: {self.failures[-1]}"

    @property
    def first_failure(self) -> str | None:
        """Why the first request brought no scores; None when it did."""
        return self.failures[0] if self.failures else self.refusal

    @property
    def outcome(self) -> str:
        if self.scores is not None:
            return "scored"
        return "not reached" if self.refusal == CAP else "refused" if self.refusal else "malformed"


class BrakeError(WinnowError):
    """Too many of the last articles got no scores at the first attempt."""


class Store(Protocol):
    """What a labeller needs of `stores.AnswerStore`."""

    def saving(self) -> AbstractContextManager[None]: ...
    def begin_batch(self, batch: SentBatch) -> None: ...
    def end_batch(self, label: str) -> None: ...
    def batches(self, asker: str) -> list[SentBatch]: ...
    def add(self, key: str, asker: str, reply: Mapping[str, Any]) -> None: ...
    def of(self, key: str) -> list[tuple[bool, dict[str, Any]]]: ...
    def by(self, asker: str) -> Iterator[tuple[int, dict[str, Any]]]: ...
    def retire(self, numbers: list[int]) -> None: ...


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
    malformed: int = 0
    """answers that broke the schema"""
    estimated: int = 0
    """answers whose tokens the server did not count"""
    lost_usd: float = 0.0
    """the most that requests without an answer may have cost: the provider knows"""

    def add(self, reply: Reply, *, now: bool, malformed: bool) -> None:
        self.requests += 1
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


@dataclass
class _Task:
    """One article on its way to scores."""

    place: int
    article_id: str
    asked: Question
    key: str
    answers: int = 0
    failures: list[str] = field(default_factory=list)
    answer: str = ""
    tries: int = 0
    pause: float = 0.0
    reserved: float = 0.0


class Labeller:
    """An oracle with its store of answers and its budget."""

    def __init__(
        self,
        oracle: Oracle,
        kept: Store,
        definition: Definition,
        params: Label,
        stop: StopRequest,
    ) -> None:
        self.oracle, self.kept, self.definition, self.stop = oracle, kept, definition, stop
        self.settings, self.max_cost_usd = params.oracle, params.max_cost_usd
        self.may_fail = params.calibration.gates.parse_failures.review
        """share of the articles whose first answer may be unreadable"""
        self.gates = content_key([params.calibration.gates.model_dump_json()])[:16]
        self.use = Use(self.settings.prices)
        self.prompt = hash_of(definition, rationale=self.settings.rationale)
        self.asker = content_key([self.prompt, oracle.name])
        self.reserved = 0.0
        self.excess = 1.0
        """how much more than the highest cost an answer has cost: of a server that does not keep to max_tokens"""
        self._counted: set[str] = set()

    @property
    def judged(self) -> str:
        """What a calibration judges besides the prompt: who answers, and how much of an article is sent."""
        given = self.settings
        mean = f", mean of {given.answers} answers" if given.answers > 1 else ""
        return f"{self.oracle.name}, {given.max_characters} characters{mean}"

    @property
    def left_usd(self) -> float:
        """What is left of the cap. Stored answers count: a run that the cap has stopped is stopped again."""
        return self.max_cost_usd - self.use.cost_usd - self.use.lost_usd - self.reserved

    def price_share(self, *, is_batch: bool) -> float:
        """Share of the prices that is paid: less through the Batch API."""
        return self.settings.prices.batch_share if is_batch and self.settings.batch_api.enabled else 1.0

    def highest_cost(self, asked: Question, *, is_batch: bool = False) -> float:
        """Of one answer, in US dollars."""
        return self.excess * self.oracle.highest_cost(asked) * self.price_share(is_batch=is_batch)

    def mean_cost(self, *, is_batch: bool = False) -> float | None:
        """Of an answer of this oracle to this prompt, calibration's included; None before the first one."""
        prices, share = self.settings.prices, self.price_share(is_batch=is_batch)
        if self.use.requests:
            return share * self.use.tokens.cost(prices) / self.use.requests
        costs = [Tokens(*reply["tokens"]).cost(prices) for _, reply in self.kept.by(self.asker)]
        return share * math.fsum(costs) / len(costs) if costs else None

    def unanswered(self, article: Article, variant: Variant = "plain") -> list[Question]:
        """The questions about an article that stored answers do not decide; stored ones are counted as spent."""
        tasks = self._tasks(0, article, variant)
        return [task.asked for task in tasks if self._recall(task) is None]

    def is_known(self, article: Article, variant: Variant = "plain") -> bool:
        """Whether stored answers decide about the article."""
        return not self.unanswered(article, variant)

    def collect(self) -> None:
        """Wait for the batches that an earlier run has sent and not read, and store their answers: they are paid."""
        for batch in self.kept.batches(self.asker):
            self._store_batch(batch, collect(cast("BatchOracle", self.oracle), batch, self.settings, self.stop))

    def _store_batch(self, batch: SentBatch, found: Mapping[str, Reply | BaseException]) -> None:
        with self.kept.saving():
            for key, outcome in found.items():
                if isinstance(outcome, Reply):
                    self.store(key, outcome)
            self.kept.end_batch(batch.label)

    def store(self, key: str, reply: Reply) -> None:
        self.kept.add(key, self.asker, {**reply._asdict(), "tokens": list(reply.tokens)})

    def retire_malformed(self) -> int:
        """Have malformed answers to this prompt asked for again; how many there were. What they cost stays counted."""
        numbers = [number for number, reply in self.kept.by(self.asker) if self._read(_reply(reply))[1]]
        with self.kept.saving():
            self.kept.retire(numbers)
        return len(numbers)

    def label_all(
        self, articles: Iterable[Article], variant: Variant = "plain", *, is_batch: bool = False, every: int = 0
    ) -> list[Labelled]:
        """What the oracle says of each article, in order: the mean of its answers; several are asked at a time.

        A batch, unlike a sample, has a brake, which raises BrakeError, and goes on to the end without new requests when
        the cap is reached; a sample raises WinnowError then. `every`: articles from one line of progress to the next.
        OracleError when the server answers nobody, Interrupted after Ctrl+C and SIGTERM: requests under way are waited
        for, and their answers stored, before anything is raised.
        """
        kind = _BatchRun if is_batch and self.settings.batch_api.enabled else _Run
        run = kind(self, is_batch=is_batch, every=every)
        found = run.label(task for place, each in enumerate(articles) for task in self._tasks(place, each, variant))
        count = self.settings.answers
        return [mean_of(found[start : start + count]) for start in range(0, len(found), count)]

    def _tasks(self, place: int, article: Article, variant: Variant) -> list[_Task]:
        """One for each answer whose mean is the article's score."""
        given, tasks = self.settings, []
        for number in range(given.answers):
            asked = question(
                self.definition,
                article.title,
                article.content,
                max_characters=given.max_characters,
                variant=variant,
                rationale=given.rationale,
                number=number,
            )
            key = asked.key(self.oracle.name)
            tasks.append(_Task(place * given.answers + number, article.article_id, asked, key))
        return tasks

    def _recall(self, task: _Task) -> Labelled | None:
        """What stored answers say of an article; None when it has to be asked about."""
        is_new = task.key not in self._counted
        self._counted.add(task.key)
        found = None
        for is_retired, stored in self.kept.of(task.key):
            reply = _reply(stored)
            if is_new:
                self.use.add(reply, now=False, malformed=bool(self._read(reply)[1]))
            if not is_retired:
                found = self._decide(task, reply)
        return found

    def _decide(self, task: _Task, reply: Reply) -> Labelled | None:
        """One more answer to a task's question: its scores, the last failure, or None when another one is wanted."""
        scores, failure = self._read(reply)
        task.answers += 1
        if scores is None:
            task.failures.append(failure)
            task.answer = reply.text[:QUOTED]
            if task.answers <= self.settings.parse_retries:
                return None
        return Labelled(task.article_id, scores, tuple(task.failures), answer="" if scores else task.answer)

    def _read(self, reply: Reply) -> tuple[dict[str, float] | None, str]:
        """The scores, or why there are none."""
        try:
            if reply.flaw:
                raise MalformedAnswer(reply.flaw)
            return parse_answer(reply.text, self.definition, rationale=self.settings.rationale), ""
        except MalformedAnswer as reason:
            return None, str(reason)


def _reply(stored: Mapping[str, Any]) -> Reply:
    return Reply(**{**stored, "tokens": Tokens(*stored["tokens"])})


class _Run:
    """One call of `Labeller.label_all`."""

    def __init__(self, labeller: Labeller, *, is_batch: bool, every: int) -> None:
        self.labeller, self.settings = labeller, labeller.settings
        self.is_batch, self.every = is_batch, every * labeller.settings.answers
        self.found: dict[int, Labelled] = {}
        self.again: deque[_Task] = deque()
        self.under_way: dict[Future[Reply] | str, _Task] = {}
        self.waiting: defaultdict[str, list[_Task]] = defaultdict(list)
        """by key: further articles with a text that is being asked about"""
        self.bad: set[int] = set()
        """places of the articles whose first request brought no scores"""
        self.silent = 0
        """articles in a row about which the server said nothing, however often it was asked"""
        self.failure: BaseException | None = None

    def label(self, tasks: Iterator[_Task]) -> list[Labelled]:
        """What is found of each task, in order."""
        self._ask_all(tasks)
        if self.labeller.stop.signum:
            raise Interrupted(self.labeller.stop.signum)
        if self.failure:
            raise self.failure
        return [self.found[place] for place in sorted(self.found)]

    def _ask_all(self, tasks: Iterator[_Task]) -> None:
        width = 1 if self.settings.provider == "rules" else self.settings.concurrency
        with ThreadPoolExecutor(width) as pool:
            under_way: dict[Future[Reply], _Task] = {}
            self.under_way = cast("dict[Future[Reply] | str, _Task]", under_way)
            while True:
                while len(under_way) < width and (task := self._next(tasks)):
                    under_way[pool.submit(self._ask, task)] = task
                if not under_way:
                    break
                done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                with self.labeller.kept.saving():
                    for future in done:
                        self._settle(under_way.pop(future), future.exception() or future.result())

    def _next(self, tasks: Iterator[_Task]) -> _Task | None:
        """The next article to ask about, its highest cost reserved; None when there is none, or none for now."""
        labeller = self.labeller
        while not self.failure and not labeller.stop.signum:
            is_again = bool(self.again)
            task = self.again.popleft() if is_again else next(tasks, None)
            if task is None:
                return None
            if not task.tries and not task.answers:
                if task.key in self.waiting:
                    self.waiting[task.key].append(task)
                    continue
                if known := labeller._recall(task):
                    self._finish(task, known)
                    continue
            cost = labeller.highest_cost(task.asked, is_batch=self.is_batch)
            if cost and cost > labeller.left_usd:
                if self.under_way:  # which may cost less than was reserved
                    self.again.appendleft(task)
                    return None
                self._refuse_by_cap(task, cost)
                continue
            _ = self.waiting[task.key]
            task.reserved = cost
            labeller.reserved += cost
            return task
        return None

    def _ask(self, task: _Task) -> Reply:
        end = time.monotonic() + task.pause
        while (left := end - time.monotonic()) > 0:
            if self.labeller.stop.signum:
                raise NoAnswer("the run was stopped")
            time.sleep(min(left, 0.2))
        return self.labeller.oracle.ask(task.asked)

    def _settle(self, task: _Task, outcome: Reply | BaseException) -> None:
        """Store, count and judge what came of a request."""
        labeller = self.labeller
        labeller.reserved = labeller.reserved - task.reserved if self.under_way else 0.0
        if isinstance(outcome, Reply):
            reply = outcome
            labeller.store(task.key, reply)
            if task.reserved:
                share = self.settings.prices.batch_share if reply.batched else 1.0
                labeller.excess *= max(share * reply.tokens.cost(self.settings.prices) / task.reserved, 1.0)
            self.silent = 0
            task.tries, task.pause = 0, 0.0
            found = labeller._decide(task, reply)
            labeller.use.add(reply, now=True, malformed=len(task.failures) == task.answers)
            if found:
                self._finish(task, found)
            else:
                self.again.appendleft(task)
        elif isinstance(outcome, Refused):
            self._finish(task, self._without(task, f"refused: {outcome}"))
        elif isinstance(outcome, NoAnswer):
            self._try_again(task, outcome)
        else:
            self.failure = self.failure or outcome

    def _try_again(self, task: _Task, error: NoAnswer) -> None:
        if error.maybe_paid:
            self.labeller.use.lost_usd += task.reserved
        task.pause = FIRST_PAUSE * 2**task.tries if error.pause is None else error.pause
        task.tries += 1
        if task.tries <= self.settings.retries and task.pause <= LONGEST_PAUSE:
            self.again.append(task)
            return
        self.silent += 1
        self._finish(task, self._without(task, f"no answer: {error}"))
        if self.silent > 1:  # one may be that article's fault
            self.failure = self.failure or OracleError(
                f"the oracle's server gives no answer: {error}",
                where=f"{self.settings.base_url} (tried {task.tries} times)",
                fix="check articles.label.oracle.base_url, timeout, retries and concurrency; what was answered is kept",
            )

    def _without(self, task: _Task, reason: str) -> Labelled:
        return Labelled(task.article_id, None, tuple(task.failures), reason, task.answer)

    def _refuse_by_cap(self, task: _Task, cost: float) -> None:
        labeller = self.labeller
        if self.is_batch:
            self._finish(task, self._without(task, CAP))
            return
        self.failure = WinnowError(
            f"the next answer may cost ${cost:.4f}, but of max_cost_usd ${labeller.max_cost_usd:.2f} "
            f"${labeller.use.cost_usd + labeller.use.lost_usd:.4f} is spent",
            where="params.yaml: articles.label.max_cost_usd",
            fix="raise it, or lower oracle.max_tokens or max_characters; what was answered is kept",
        )

    def _finish(self, task: _Task, found: Labelled) -> None:
        self.found[task.place] = found
        self.again.extend(self.waiting.pop(task.key, []))
        if not self.is_batch:
            return
        if self.every and len(self.found) % self.every == 0:
            paid = self.labeller.use.paid_now_usd
            told = f", ${paid:.4f} paid now" if paid else ""
            print(f"  {len(self.found)} articles{told}", file=sys.stderr, flush=True)
        if found.refusal == CAP:
            return
        if found.first_failure is None:
            return
        self.bad.add(task.place)
        limit = self.labeller.may_fail
        # By place, not by arrival: a run that goes on asks again about all that were refused, one after another
        window = range(max(task.place - WINDOW + 1, 0), task.place + 1)
        bad = sum(place in self.bad for place in window)
        if binomial_tail(bad, len(window), limit) < CHANCE and not self.failure:
            self.failure = BrakeError(
                f"{bad} of the last {min(WINDOW, task.place + 1)} articles got no readable answer at the first "
                f"attempt, the last one ({found.article_id}) because: {found.first_failure}. "
                f"{told_of(list(self.found.values()), self.labeller.use)}",
                where=f"articles.label.calibration.gates.parse_failures.review allows {limit:.0%}; this is no chance",
                fix="see what the server answers, then run it again: what was answered is kept, and "
                "`winnow articles label --retry malformed` has malformed answers asked for again",
            )


class _BatchRun(_Run):
    """Through the Batch API: as many requests at a time as it takes and the cap covers, at a lower price."""

    def _ask_all(self, tasks: Iterator[_Task]) -> None:
        labeller, oracle = self.labeller, cast("BatchOracle", self.labeller.oracle)
        labeller.collect()
        while True:
            chunk: dict[str, _Task] = {}
            self.under_way = cast("dict[Future[Reply] | str, _Task]", chunk)
            lines, size = [], 0
            while len(chunk) < self.settings.batch_api.max_requests and size < LARGEST_FILE:
                if (task := self._next(tasks)) is None:
                    break
                chunk[task.key] = task
                lines.append(batch_line(oracle, task.key, task.asked))
                size += len(lines[-1])
            if not chunk:
                return
            try:
                asked = {key: task.asked for key, task in chunk.items()}
                batch = send(oracle, lines, asked, labeller.asker, labeller.kept)
                found = collect(oracle, batch, self.settings, labeller.stop)
            except BaseException:  # what is sent is on record: the next run reads it
                labeller.reserved = 0.0
                chunk.clear()
                raise
            with labeller.kept.saving():
                for key in list(chunk):
                    missing = NoAnswer("the batch ended without an answer to this request")
                    self._settle(chunk.pop(key), found.get(key, missing))
                labeller.kept.end_batch(batch.label)


def mean_of(answers: Sequence[Labelled]) -> Labelled:
    """Several answers about an article as one: the mean of those with scores.

    An article that the cap has cut short is not reached: a mean of fewer answers would be another label.
    """
    first = answers[0]
    if len(answers) == 1:
        return first
    refusal = CAP if any(each.refusal == CAP for each in answers) else None
    failures = tuple(reason for each in answers for reason in each.failures)
    scored = [each.scores for each in answers if each.scores is not None]
    if refusal or not scored:
        refusal = refusal or next((each.refusal for each in answers if each.refusal), None)
        answer = next((each.answer for each in answers if each.answer), "")
        return Labelled(first.article_id, None, failures, refusal, answer)
    means = {name: math.fsum(each[name] for each in scored) / len(scored) for name in scored[0]}
    return Labelled(first.article_id, means, failures)


@cache
def binomial_tail(count: int, trials: int, share: float) -> float:
    """The probability of `count` or more of `trials` when each has the probability `share`."""
    return math.fsum(math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(count, trials + 1))


def told_of(found: Sequence[Labelled], use: Use) -> str:
    """The line at the end: articles by outcome, and what their answers cost."""
    outcomes = [each.outcome for each in found]
    counts = {name: outcomes.count(name) for name in ("scored", "malformed", "refused", "not reached")}
    listed = ", ".join(f"{count} {name}" for name, count in counts.items() if count or name != "not reached")
    told = f"{len(found)} articles: {listed}; {use.requests} answers, of which {use.malformed} malformed"
    if use.cost_usd:
        told += f", ${use.cost_usd:.4f}, of which ${use.paid_now_usd:.4f} paid now"
    if use.estimated:
        told += f" (tokens of {use.estimated} answers estimated)"
    if use.lost_usd:
        told += f"; requests without an answer may have cost up to ${use.lost_usd:.4f} more"
    return told


def announce(labeller: Labeller, asked: Iterable[tuple[Article, Variant]], *, is_batch: bool = False) -> int:
    """Print what the questions without a stored answer will cost: about, and at most; how many articles the cap covers.

    At most is when every answer is as long as it may be, and every further try is needed and paid.
    """
    settings, count, most = labeller.settings, 0, 0.0
    for article, variant in asked:
        for each in labeller.unanswered(article, variant):
            count += 1
            most += labeller.highest_cost(each, is_batch=is_batch)
    articles = math.ceil(count / settings.answers)
    if not most:
        return articles
    most *= (settings.parse_retries + 1) * (settings.retries + 1)
    mean, left = labeller.mean_cost(is_batch=is_batch), max(labeller.left_usd, 0.0)
    guess = "" if mean is None else f"about ${min(count * mean, most):.2f}, "
    print(f"{count} questions to ask: {guess}at most ${most:.2f}; ${left:.2f} left", file=sys.stderr)
    return articles if not mean else min(articles, int(left / mean / settings.answers))
