"""Asking an oracle about many articles: each answer is stored when it arrives, what it costs is capped and counted."""

import math
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any, cast

from filelock import FileLock, Timeout

from winnow.domains.articles.definitions import Definition
from winnow.domains.articles.params import Label
from winnow.domains.articles.rules.batch_runs import BatchRun
from winnow.domains.articles.rules.batches import BatchOracle, SentBatch, collect
from winnow.domains.articles.rules.oracles import Oracle, Reply, Tokens, make_oracle, may_be_lost
from winnow.domains.articles.rules.outcomes import Article, Labelled, Use, mean_of
from winnow.domains.articles.rules.questions import MalformedAnswer, Question, Variant, hash_of, parse_answer, question
from winnow.domains.articles.rules.runs import Run, Task
from winnow.domains.articles.rules.stores import RETIRED, AnswerStore
from winnow.learn.interrupt import StopRequest, stop_request
from winnow.pipeline.cache import content_key
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.ledger import state_folder

QUOTED = 200
"""Characters of a malformed answer that are shown."""
ROUNDING = 1e-6
"""Cents by which a whole number of them may be missed."""


class Labeller:
    """An oracle with its store of answers and its budget."""

    def __init__(
        self,
        oracle: Oracle,
        kept: AnswerStore,
        definition: Definition,
        params: Label,
        stop: StopRequest,
    ) -> None:
        self.oracle, self.kept, self.definition, self.stop = oracle, kept, definition, stop
        self.settings, self.max_cost_usd = params.oracle, params.max_cost_usd
        self.may_fail = params.calibration.gates.parse_failures.review
        """share of the articles whose first answer may be unreadable"""
        targets = params.calibration
        self.gates = content_key([targets.gates.model_dump_json(), str(targets.tolerance)])[:16]
        self.use = Use(self.settings.prices)
        self.prompt = hash_of(definition, rationale=self.settings.rationale)
        self.asker = content_key([self.prompt, oracle.name])
        self.reserved = 0.0
        self.excess = 1.0
        """how much more than the highest cost an answer has cost: of a server that does not keep to max_tokens"""
        self._counted: set[str] = set()
        self._looked_back = False

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

    def learn_excess(self, asked: Question, reply: Reply) -> None:
        if highest := self.oracle.highest_cost(asked):
            self.excess = max(self.excess, reply.tokens.cost(self.settings.prices) / highest)

    def look_back(self) -> None:
        """Learn from all stored answers to this prompt, of whatever articles, what the server's answers may cost."""
        if self._looked_back:
            return
        self._looked_back = True
        for _, stored in self.kept.by(self.asker, retired=True):
            tokens = Tokens(*stored["tokens"])
            if highest := self.oracle.highest_of(tokens.prompt_tokens):
                self.excess = max(self.excess, tokens.cost(self.settings.prices) / highest)

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
        return [task.asked for task in tasks if self.recall(task) is None]

    def is_known(self, article: Article, variant: Variant = "plain") -> bool:
        """Whether stored answers decide about the article."""
        return not self.unanswered(article, variant)

    def collect(self) -> None:
        """Wait for the batches that an earlier run has sent and not read, and store their answers: they are paid."""
        for batch in self.kept.batches(self.asker):
            found = collect(cast("BatchOracle", self.oracle), batch, self.settings, self.stop)
            with self.kept.saving():
                self.store_batch(batch, found)

    def store_batch(self, batch: SentBatch, found: Mapping[str, Reply | Exception]) -> None:
        """Store the answers of a batch, and strike it."""
        for key, outcome in found.items():
            if isinstance(outcome, Reply):
                self.store(key, outcome)
        self.kept.end_batch(batch.label, {key for key, outcome in found.items() if may_be_lost(outcome)})

    def give_up_batches(self) -> int:
        """Strike the batches on record, so that what they were asked is asked again; how many there were.

        The cap counts the most that they may have cost.
        """
        given_up = self.kept.batches(self.asker)
        with self.kept.saving():
            for batch in given_up:
                self.kept.end_batch(batch.label, batch.prompts.keys())
        return len(given_up)

    def store(self, key: str, reply: Reply) -> None:
        self.kept.add(key, self.asker, {**reply._asdict(), "tokens": list(reply.tokens)})

    def retire_malformed(self) -> int:
        """Have malformed answers to this prompt asked for again; how many there were. What they cost stays counted."""
        numbers = [number for number, reply in self.kept.by(self.asker) if self._read(_reply(reply))[1]]
        with self.kept.saving():
            self.kept.retire(numbers)
        return len(numbers)

    def forget_answers(self) -> int:
        """Have all answers to this prompt asked for again; how many there were. What they cost stays counted."""
        with self.kept.saving():
            return self.kept.forget(self.asker)

    def label_all(
        self, articles: Iterable[Article], variant: Variant = "plain", *, is_batch: bool = False, every: int = 0
    ) -> list[Labelled]:
        """What the oracle says of each article, in order: the mean of its answers; several are asked at a time.

        A batch, unlike a sample, has a brake, which raises BrakeError, and goes on to the end without new requests when
        the cap is reached; a sample raises WinnowError then. `every`: articles from one line of progress to the next.
        OracleError when the server answers nobody, Interrupted after Ctrl+C and SIGTERM: requests under way are waited
        for, and their answers stored, before anything is raised.
        """
        kind = BatchRun if is_batch and self.settings.batch_api.enabled else Run
        run = kind(self, is_batch=is_batch, every=every)
        found = run.label(task for place, each in enumerate(articles) for task in self._tasks(place, each, variant))
        count = self.settings.answers
        return [mean_of(found[start : start + count]) for start in range(0, len(found), count)]

    def _tasks(self, place: int, article: Article, variant: Variant) -> list[Task]:
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
            tasks.append(Task(place * given.answers + number, article.article_id, asked, key))
        return tasks

    def recall(self, task: Task) -> Labelled | None:
        """What stored answers say of an article; None when it has to be asked about."""
        is_new = task.key not in self._counted
        self._counted.add(task.key)
        if is_new:
            self.use.lost_usd += self.kept.lost.get(task.key, 0.0)
        found = None
        for retired, stored in self.kept.of(task.key):
            reply = _reply(stored)
            if is_new:
                self.use.add(reply, now=False, malformed=bool(self._read(reply)[1]))
                self.learn_excess(task.asked, reply)
            if retired == RETIRED and not task.answers:
                task.retired = task.retired or self._read(reply)[1]
            if not retired:
                found = self.decide(task, reply)
        return found

    def decide(self, task: Task, reply: Reply) -> Labelled | None:
        """One more answer to a task's question: its scores, the last failure, or None when another one is wanted."""
        scores, failure = self._read(reply)
        task.answers += 1
        if scores is None:
            task.failures.append(failure)
            task.answer = reply.text[:QUOTED]
            if task.answers <= self.settings.parse_retries:
                return None
        answer = "" if scores else task.answer
        return Labelled(task.article_id, scores, tuple(task.failures), answer=answer, retired=task.retired)

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


def announce(labeller: Labeller, asked: Iterable[tuple[Article, Variant]], *, is_batch: bool = False) -> int:
    """Print what the questions without a stored answer will cost: about, and at most.

    Returns how many of the articles that have such questions the cap covers, in their order, going by the mean cost so
    far. At most is when every answer is as long as it may be, and every further try is needed and paid.
    """
    settings, counts, most = labeller.settings, list[int](), 0.0
    labeller.look_back()
    for article, variant in asked:
        wanted = labeller.unanswered(article, variant)
        counts += [len(wanted)] if wanted else []
        most += sum(labeller.highest_cost(each, is_batch=is_batch) for each in wanted)
    count = sum(counts)
    if not most:
        return len(counts)
    most *= (settings.parse_retries + 1) * (settings.retries + 1)
    mean, left = labeller.mean_cost(is_batch=is_batch), max(labeller.left_usd, 0.0)
    guess = "" if mean is None else f"about ${min(count * mean, most):.2f}, "
    shown = math.ceil(most * 100 - ROUNDING) / 100, math.floor(left * 100 + ROUNDING) / 100
    print(f"{count} questions to ask: {guess}at most ${shown[0]:.2f}; ${shown[1]:.2f} left", file=sys.stderr)
    return sum(total * mean <= left for total in accumulate(counts)) if mean else len(counts)


@contextmanager
def open_labeller(definition: Definition, params: Label, seed: int) -> Iterator[Labeller]:
    """A labeller, which Ctrl+C and SIGTERM stop when what is under way is answered and stored.

    The store is locked: another process waits. Answers of `rules` cost nothing and are not kept.
    """
    oracle = make_oracle(params.oracle, definition, seed)
    if params.oracle.provider == "rules":
        with stop_request() as stop:
            yield Labeller(oracle, AnswerStore(None), definition, params, stop)
        return
    folder = state_folder() / "kept" / "articles"
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "answers.lock"), stop_request() as stop:
        file = folder / "answers.sqlite"
        try:
            with closing(AnswerStore(file)) as store:
                yield Labeller(oracle, store, definition, params, stop)
        except sqlite3.Error as error:
            raise WinnowError(
                f"paid answers cannot be stored: {error}",
                where=str(file),
                fix="free some space, or see to the file's permissions, and run it again; what was stored is kept",
            ) from None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """The operating system frees the lock of a process that died."""
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print("another process is asking the oracle; waiting until it is done …", file=sys.stderr, flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
