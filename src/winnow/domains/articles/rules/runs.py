"""One pass of an oracle over articles: threads or batches of requests, further tries, the cap, the brake.

Threads send requests and nothing else; all that is decided, counted and stored is decided in the calling thread.
"""

import sqlite3
import sys
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from winnow.domains.articles.rules.brakes import Brake, BrakeError
from winnow.domains.articles.rules.oracles import NoAnswer, OracleError, Refused, Reply, may_be_lost
from winnow.domains.articles.rules.outcomes import CAP, Labelled, told_of
from winnow.domains.articles.rules.questions import Question
from winnow.domains.articles.rules.servers import in_background
from winnow.learn.interrupt import Interrupted
from winnow.pipeline.console import say
from winnow.pipeline.errors import WinnowError

if TYPE_CHECKING:
    from winnow.domains.articles.rules.labelling import Labeller

SILENT = 10
"""Articles in a row about which a server may say nothing: more are no longer the articles' fault."""
SHOWN = 80
"""Characters of a malformed answer that the brake shows."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 600.0
"""Seconds before the first further try, doubled at each; and the longest that a server may ask for."""


@dataclass
class Task:
    """One article on its way to scores."""

    place: int
    article_id: str
    asked: Question
    key: str
    answers: int = 0
    failures: list[str] = field(default_factory=list)
    answer: str = ""
    retired: str = ""
    """why the first answer of all was malformed, if it was asked for again since"""
    tries: int = 0
    pause: float = 0.0
    reserved: float = 0.0
    sent: int = 0
    """number of the request in the store"""


class Run:
    """One call of `Labeller.label_all`."""

    def __init__(self, labeller: "Labeller", *, is_batch: bool, every: int) -> None:
        self.labeller, self.settings = labeller, labeller.settings
        self.is_batch, self.every = is_batch, every * labeller.settings.answers
        self.found: dict[int, Labelled] = {}
        self.again: deque[Task] = deque()
        self.under_way: dict[str, Task] = {}
        """by key"""
        self.waiting: defaultdict[str, list[Task]] = defaultdict(list)
        """by key: further articles with a text that is being asked about"""
        self.brake = Brake(labeller.may_fail)
        self.heard = False
        """whether the server has said anything in this run, or before about one of its articles"""
        self.silent = 0
        """articles in a row about which the server said nothing, however often it was asked"""
        self.failure: BaseException | None = None

    def label(self, tasks: Iterator[Task]) -> list[Labelled]:
        """What is found of each task, in order."""
        self._ask_all(tasks)
        if self.labeller.stop.signum:
            say("stopped: every answer that arrived is stored, and the same command goes on (leave --retry out)")
            raise Interrupted(self.labeller.stop.signum)
        if self.failure:
            raise self.failure
        return [self.found[place] for place in sorted(self.found)]

    def _ask_all(self, tasks: Iterator[Task]) -> None:
        width = 1 if self.settings.provider == "rules" else self.settings.concurrency
        asking: dict[Future[Reply], Task] = {}
        done: set[Future[Reply]] = set()
        while True:
            answered = [(asking.pop(future), future.exception() or future.result()) for future in done]
            begun: list[Task] = []
            try:
                with self.labeller.kept.saving():
                    for task, outcome in answered:
                        self._take(task, outcome)
                    self._begin(tasks, width, begun)
            except sqlite3.Error as error:  # such as of a full disk, where what is under way may still fit
                self.failure = self.failure or error
                begun = []
            asking |= {in_background(partial(self._ask, task)): task for task in begun}
            if not asking:
                break
            done, _ = wait(asking, return_when=FIRST_COMPLETED)

    def _take(self, task: Task, outcome: Reply | BaseException) -> None:
        """Store what came of a request, then judge it: an error in that loses no answer."""
        del self.under_way[task.key]
        try:
            self._store(task, outcome)
            self._settle(task, outcome)
        except Exception as error:
            self.failure = self.failure or error

    def _begin(self, tasks: Iterator[Task], width: int, begun: list[Task]) -> None:
        """Put the next requests on record, up to `width` under way; they are sent when that is stored."""
        try:
            while len(self.under_way) < width and (task := self._next(tasks)):
                task.sent = self.labeller.kept.send(task.key, task.reserved) if task.reserved else 0
                self.under_way[task.key] = task
                begun.append(task)
        except Exception as error:
            self.failure = self.failure or error

    def _next(self, tasks: Iterator[Task]) -> Task | None:
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
                if known := labeller.recall(task):
                    self._hear()
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

    def _ask(self, task: Task) -> Reply:
        end = time.monotonic() + task.pause
        while (left := end - time.monotonic()) > 0:
            if self.labeller.stop.signum:
                raise NoAnswer("the run was stopped")
            time.sleep(min(left, 0.2))
        return self.labeller.oracle.ask(task.asked)

    def _store(self, task: Task, outcome: Reply | BaseException) -> None:
        if isinstance(outcome, Reply):
            self.labeller.store(task.key, outcome)
        if task.sent and not may_be_lost(outcome):
            self.labeller.kept.settle(task.sent)

    def _settle(self, task: Task, outcome: Reply | BaseException) -> None:
        """Count and judge what came of a request."""
        labeller = self.labeller
        labeller.reserved = labeller.reserved - task.reserved if self.under_way else 0.0
        if isinstance(outcome, Reply):
            reply = outcome
            labeller.learn_excess(task.asked, reply)
            self._hear()
            task.tries, task.pause = 0, 0.0
            found = labeller.decide(task, reply)
            labeller.use.add(reply, now=True, malformed=len(task.failures) == task.answers)
            if found:
                self._finish(task, found)
            else:
                self.again.appendleft(task)
        elif isinstance(outcome, Refused):
            self._hear()
            self._finish(task, self._without(task, f"refused: {outcome}"))
        elif isinstance(outcome, NoAnswer):
            self._try_again(task, outcome)
        else:
            self.failure = self.failure or outcome

    def _hear(self) -> None:
        self.heard, self.silent = True, 0

    def _try_again(self, task: Task, error: NoAnswer) -> None:
        if error.maybe_paid:
            self.labeller.use.lost_usd += task.reserved
        task.pause = FIRST_PAUSE * 2**task.tries if error.pause is None else error.pause
        task.tries += 1
        if task.tries <= self.settings.retries and task.pause <= LONGEST_PAUSE:
            self.again.append(task)
            return
        self.silent += 1
        wait = f"; it asks to wait {task.pause:,.0f} s" if task.pause > LONGEST_PAUSE else ""
        self._finish(task, self._without(task, f"no answer: {error}{wait}"))
        if self.silent > self._patience(error):
            self.failure = self.failure or OracleError(
                f"the oracle's server gives no answer: {error}{wait}",
                where=f"{self.settings.base_url} (tried {task.tries} times)",
                fix="check articles.label.oracle.base_url, timeout, retries and concurrency; what was answered is kept",
            )

    def _patience(self, error: NoAnswer) -> float:
        """Articles in a row about which the server may say nothing."""
        return SILENT if self.heard and not error.unreachable else 1

    def _without(self, task: Task, reason: str) -> Labelled:
        return Labelled(task.article_id, None, tuple(task.failures), reason, task.answer, task.retired)

    def _refuse_by_cap(self, task: Task, cost: float) -> None:
        labeller = self.labeller
        if self.is_batch:
            self._finish(task, self._without(task, CAP))
            return
        lost = f", with ${labeller.use.lost_usd:.4f} for requests without an answer" if labeller.use.lost_usd else ""
        self.failure = WinnowError(
            f"the next answer may cost ${cost:.4f}, but of max_cost_usd ${labeller.max_cost_usd:.2f} "
            f"${labeller.use.cost_usd + labeller.use.lost_usd:.4f} is spent{lost}",
            where="params.yaml: articles.label.max_cost_usd",
            fix="raise it, or lower oracle.max_tokens or max_characters; what was answered is kept",
        )

    def _finish(self, task: Task, found: Labelled) -> None:
        self.found[task.place] = found
        self.again.extend(self.waiting.pop(task.key, []))
        if not self.is_batch:
            return
        if self.every and len(self.found) % self.every == 0:
            paid = self.labeller.use.paid_now_usd
            told = f", ${paid:.4f} paid now" if paid else ""
            print(f"  {len(self.found) // self.settings.answers} articles{told}", file=sys.stderr, flush=True)
        if found.refusal == CAP or found.first_failure is None:
            return
        bad, of = self.brake.press(task.place)
        if self.brake.holds(bad, of) and not self.failure:
            self.failure = BrakeError(
                f"{bad} of the last {of} articles got no readable answer at the first "
                f"attempt, the last one ({found.article_id}) because: {found.first_failure}"
                f"{f', in {found.answer[:SHOWN]!r}' if found.answer else ''}. "
                f"{told_of(list(self.found.values()), self.labeller.use)}",
                where=f"articles.label.calibration.gates.parse_failures.review allows {self.brake.share:.0%}; this is "
                "no chance",
                fix="see what the server answers, then run it again without --retry: what was answered is kept, and "
                "`winnow articles label --retry malformed` has malformed answers asked for again",
            )
