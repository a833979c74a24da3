"""The Batch API of OpenAI's protocol: a file of requests is uploaded, answered within a day, and costs half.

What is sent is on record before the server hears of it, so that a run that dies while it waits reads it the next time.
"""

import json
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from winnow.domains.articles.params import Oracle as Settings
from winnow.domains.articles.rules.oracles import NoAnswer, OracleError, Reply, part_of, prompt_tokens
from winnow.domains.articles.rules.questions import Question
from winnow.learn.interrupt import Interrupted, StopRequest

if TYPE_CHECKING:
    from openai import OpenAI

    from winnow.domains.articles.rules.stores import AnswerStore

LARGEST_FILE = 150_000_000
"""Bytes of a batch's requests from which no further one joins them; OpenAI takes 200 MB."""
OVER = frozenset({"completed", "expired", "cancelled", "failed"})
LABEL = "winnow_batch"
"""Key of a batch's metadata that names it, so that one whose creation was not heard of is found again."""

T = TypeVar("T")


class GoneError(OracleError):
    """The server has no such batch or file, or no Batch API at all."""


class SentBatch(NamedTuple):
    """A batch on record."""

    label: str
    asker: str
    server_id: str | None
    """None until the server has said it"""
    prompts: Mapping[str, int]
    """by key of a question: the most tokens of its prompt, for an answer whose tokens the server does not count"""


class BatchOracle(Protocol):
    """What of `OpenAIOracle` a batch needs."""

    client: "OpenAI"

    def body(self, question: Question) -> dict[str, Any]: ...
    def failure(self, status: int, body: Any, message: str = "", pause: float | None = None) -> Exception: ...
    def one_line(self, text: Any) -> str: ...
    def read(self, body: bytes, sent: int) -> Reply: ...


def batch_line(oracle: BatchOracle, key: str, asked: Question) -> bytes:
    """A request as a line of the file."""
    line = {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": oracle.body(asked)}
    return json.dumps(line).encode() + b"\n"


def send(
    oracle: BatchOracle, lines: Sequence[bytes], asked: Mapping[str, Question], asker: str, kept: "AnswerStore"
) -> SentBatch:
    """Upload the requests, `asked` by key, and have the server answer them; raises OracleError when it will not."""
    prompts = {key: prompt_tokens(each) for key, each in asked.items()}
    batch = SentBatch(uuid.uuid4().hex, asker, None, prompts)
    with kept.saving():
        kept.begin_batch(batch)
    print(f"  a batch of {len(lines)} questions is sent", file=sys.stderr, flush=True)
    try:
        with _told(oracle):
            file = oracle.client.files.create(file=("questions.jsonl", b"".join(lines)), purpose="batch")
            made = oracle.client.batches.create(
                input_file_id=file.id,
                endpoint="/v1/chat/completions",
                completion_window="24h",
                metadata={LABEL: batch.label},
            )
    except NoAnswer as error:  # it may have been made all the same
        raise OracleError(
            f"a batch could not be sent: {error}", fix="run it again: if it was sent, it is read"
        ) from None
    except OracleError:  # it was not: nothing of it is to be read
        with kept.saving():
            kept.end_batch(batch.label)
        raise
    named = batch._replace(server_id=made.id)
    with kept.saving():
        kept.begin_batch(named)
    return named


def collect(
    oracle: BatchOracle, batch: SentBatch, settings: Settings, stop: StopRequest
) -> dict[str, Reply | Exception]:
    """What came of each request, by key, when the server is done; a request that it did not answer is left out.

    Raises Interrupted after Ctrl+C and SIGTERM: the server goes on, and the next run reads what it answers. OracleError
    when the server cannot be reached.
    """
    server_id = batch.server_id or _named(oracle, batch.label, settings, stop)
    if server_id is None:  # it has not heard of it
        return {}
    told = 0
    while True:
        try:
            state = _patiently(lambda: oracle.client.batches.retrieve(server_id), settings, oracle, stop)
        except GoneError as error:
            raise OracleError(
                f"the batch {server_id}, which is on record with {len(batch.prompts)} questions, is not there: "
                f"{error.what}",
                where=settings.base_url,
                fix="use the key of the project that sent it; or give it up with `winnow articles label --retry "
                "batches`, and what it was asked is asked, and paid, again",
            ) from None
        done = state.request_counts.completed + state.request_counts.failed if state.request_counts else 0
        if done > told:
            told = done
            print(f"  {done} of {len(batch.prompts)} questions of the batch", file=sys.stderr, flush=True)
        if state.status in OVER:
            break
        _wait(settings.batch_api.poll_interval, stop)
    if state.status == "failed":
        said = "; ".join(str(each.message) for each in (state.errors.data if state.errors else None) or [])
        failure = OracleError(
            f"the server refused the whole batch: {oracle.one_line(said or 'without a reason')}",
            where=settings.base_url,
            fix="correct articles.label.oracle, or set batch_api.enabled: false; nothing was paid",
        )
        return dict.fromkeys(batch.prompts, failure)
    found: dict[str, Reply | Exception] = {}
    for file in (state.output_file_id, state.error_file_id):
        if file:
            content = _patiently(partial(_read, oracle, file), settings, oracle, stop)
            found |= dict(_outcomes(oracle, batch, content))
    return found


def _read(oracle: BatchOracle, file: str) -> bytes:
    return oracle.client.files.content(file).read()


def _outcomes(oracle: BatchOracle, batch: SentBatch, content: bytes) -> Iterator[tuple[str, Reply | Exception]]:
    """What came of each request, from a file of the server's."""
    for line in content.splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        key, status = part_of(row, "custom_id"), part_of(row, "response", "status_code")
        if key not in batch.prompts:
            continue
        body = part_of(row, "response", "body")
        if status == 200:
            try:
                yield key, oracle.read(json.dumps(body).encode(), batch.prompts[key])._replace(batched=True)
            except NoAnswer as reason:
                yield key, reason
        elif isinstance(status, int):
            yield key, oracle.failure(status, part_of(body, "error") or body)
        else:
            yield key, NoAnswer(oracle.one_line(part_of(row, "error", "message") or "no answer in the batch"))


def _named(oracle: BatchOracle, label: str, settings: Settings, stop: StopRequest) -> str | None:
    """The server's name of a batch whose creation this machine did not hear of; None where it has none."""
    try:
        batches = _patiently(lambda: list(oracle.client.batches.list(limit=100)), settings, oracle, stop)
    except GoneError:
        return None
    return next((each.id for each in batches if (each.metadata or {}).get(LABEL) == label), None)


def _patiently(ask: Callable[[], T], settings: Settings, oracle: BatchOracle, stop: StopRequest) -> T:
    """What a question about a batch gives, asked again when the line is lost: it costs nothing."""
    for turn in range(settings.retries + 1):
        try:
            with _told(oracle):
                return ask()
        except NoAnswer as error:
            failure = error
        if turn < settings.retries:
            _wait(settings.batch_api.poll_interval, stop)
    raise OracleError(
        f"the oracle's server says nothing about its batch: {failure}",
        where=settings.base_url,
        fix="run it again: what was sent is on record, and is read when the server is back",
    )


@contextmanager
def _told(oracle: BatchOracle) -> Iterator[None]:
    """Errors of the client as ours: NoAnswer where a further try may help, OracleError else."""
    import openai  # noqa: PLC0415 - half a second, for nothing where the oracle is `rules`

    try:
        yield
    except openai.APIStatusError as error:
        failure = oracle.failure(error.status_code, error.body, error.message)
        if error.status_code == 404:
            raise GoneError(
                f"status 404: {oracle.one_line(error.message)}",
                fix="check articles.label.oracle.base_url; without a Batch API there, set batch_api.enabled: false",
            ) from None
        raise (failure if isinstance(failure, NoAnswer | OracleError) else OracleError(str(failure))) from None
    except openai.APIError as error:
        raise NoAnswer(oracle.one_line(error.message)) from None


def _wait(seconds: float, stop: StopRequest) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if stop.signum:
            print("  the batch goes on at the server; the next run reads it", file=sys.stderr, flush=True)
            raise Interrupted(stop.signum)
        time.sleep(min(left, 0.2))
