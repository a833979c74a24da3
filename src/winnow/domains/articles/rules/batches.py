"""The Batch API of OpenAI's protocol: a file of requests is uploaded, answered within a day, and costs half.

What is sent is on record before the server hears of it, so that a run that dies while it waits reads it the next time.
"""

import json
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import wait
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar
from urllib.parse import quote

from winnow.domains.articles.params import Oracle as Settings
from winnow.domains.articles.rules.oracles import (
    GoneError,
    NoAnswer,
    OracleError,
    Refused,
    Reply,
    part_of,
    prompt_tokens,
    read_json,
)
from winnow.domains.articles.rules.questions import Question
from winnow.domains.articles.rules.servers import LONGEST_REPLY, ServerReply, in_background
from winnow.learn.interrupt import Interrupted, StopRequest

if TYPE_CHECKING:
    from winnow.domains.articles.rules.stores import AnswerStore

LARGEST_FILE = 150_000_000
"""Bytes of a batch's requests from which no further one joins them; OpenAI takes 200 MB."""
FILE_SECONDS = 3600.0
"""In which a file is sent or read."""
MOST_PER_REQUEST = 2**16
"""Bytes of a batch's answers for each request, besides those of its tokens."""
TOKEN_BYTES = 32
"""Bytes of a token at most, escaped."""
LOOK = 0.2
"""Seconds from one look for Ctrl+C to the next."""
GOES_ON = "the batch goes on at the server; the next run reads it"
PAGES = 20
"""Pages of a hundred batches among which one is looked for whose name was not heard."""
OVER = frozenset({"completed", "expired", "cancelled", "failed"})
LABEL = "winnow_batch"
"""Key of a batch's metadata that names it, so that one whose creation was not heard of is found again."""

T = TypeVar("T")


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

    def body(self, question: Question) -> dict[str, Any]: ...
    def exchange(
        self, method: str, path: str, *, seconds: float | None = None, most: int = LONGEST_REPLY, **content: Any
    ) -> bytes: ...
    def failure(self, found: ServerReply) -> Exception: ...
    def one_line(self, text: Any) -> str: ...
    def read(self, body: bytes, sent: int) -> Reply: ...


def batch_line(oracle: BatchOracle, key: str, asked: Question) -> bytes:
    """A request as a line of the file."""
    line = {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": oracle.body(asked)}
    return json.dumps(line).encode() + b"\n"


def new_batch(asker: str, asked: Mapping[str, Question]) -> SentBatch:
    """A batch of questions by key, before it is sent."""
    return SentBatch(uuid.uuid4().hex, asker, None, {key: prompt_tokens(each) for key, each in asked.items()})


def send(
    oracle: BatchOracle,
    batch: SentBatch,
    lines: Sequence[bytes],
    costs: Mapping[str, float],
    kept: "AnswerStore",
    stop: StopRequest,
) -> SentBatch:
    """Upload the requests, which may cost so much by key, and have the server answer them.

    Raises OracleError when it will not, and Interrupted after Ctrl+C and SIGTERM while the file is uploaded.
    """
    with kept.saving():
        kept.begin_batch(batch, costs)
    print(f"  a batch of {len(lines)} questions is sent", file=sys.stderr, flush=True)
    file = {"file": ("questions.jsonl", b"".join(lines))}
    upload = partial(_id_in, oracle, "/files", files=file, data={"purpose": "batch"}, seconds=FILE_SECONDS)
    try:
        uploaded = _unless(stop, upload, "the batch was not sent")
        if stop.signum:
            raise Interrupted(stop.signum)
        about = {"endpoint": "/v1/chat/completions", "completion_window": "24h", "metadata": {LABEL: batch.label}}
        server_id = _id_in(oracle, "/batches", json={"input_file_id": uploaded, **about})
    except NoAnswer as error:  # it may have been made all the same
        raise OracleError(
            f"a batch could not be sent: {error}", fix="run it again: if it was sent, it is read"
        ) from None
    except (OracleError, Refused, Interrupted) as error:  # it was not: nothing of it is to be read
        with kept.saving():
            kept.end_batch(batch.label)
        raise (error if isinstance(error, Interrupted) else _about_batches(error)) from None
    named = batch._replace(server_id=server_id)
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
    try:
        server_id = batch.server_id or _named(oracle, batch.label, settings, stop)
    except GoneError:  # it may work on it all the same
        return dict.fromkeys(batch.prompts, NoAnswer("the server lists no batches, or too many", maybe_paid=True))
    if server_id is None:  # it has not heard of it
        return {}
    try:
        return _answers(oracle, batch, _over(oracle, batch, server_id, settings, stop), settings, stop)
    except GoneError as error:
        raise OracleError(
            f"the batch {server_id}, which is on record with {len(batch.prompts)} questions, is not there: "
            f"{error.what}",
            where=settings.base_url,
            fix="use the key of the project that sent it; or give it up with `winnow articles label --retry "
            "batches`, and what it was asked is asked, and paid, again",
        ) from None


def _answers(
    oracle: BatchOracle, batch: SentBatch, state: Any, settings: Settings, stop: StopRequest
) -> dict[str, Reply | Exception]:
    """What came of each request of a batch that is over."""
    if part_of(state, "status") == "failed":
        errors = part_of(state, "errors", "data")
        said = "; ".join(str(part_of(each, "message")) for each in (errors if isinstance(errors, list) else []))
        failure = OracleError(
            f"the server refused the whole batch: {oracle.one_line(said or 'without a reason')}",
            where=settings.base_url,
            fix="correct articles.label.oracle, or set batch_api.enabled: false; nothing was paid",
        )
        return dict.fromkeys(batch.prompts, failure)
    found: dict[str, Reply | Exception] = {}
    each_most = MOST_PER_REQUEST + TOKEN_BYTES * (settings.max_tokens + settings.thinking_tokens)
    read = partial(oracle.exchange, seconds=FILE_SECONDS, most=LONGEST_REPLY + each_most * len(batch.prompts))
    for name in ("output_file_id", "error_file_id"):
        if isinstance(file := part_of(state, name), str):
            content = _patiently(partial(read, "GET", f"/files/{quote(file, safe='')}/content"), settings, stop)
            for key, outcome in _outcomes(oracle, batch, content):
                if not isinstance(found.get(key), Reply):  # which is paid, whatever else is said of its request
                    found[key] = outcome
    return found


def _over(oracle: BatchOracle, batch: SentBatch, server_id: str, settings: Settings, stop: StopRequest) -> Any:
    """What the server says of a batch when it is done with it."""
    told = 0
    while True:
        state = _patiently(partial(_look, oracle, f"/batches/{quote(server_id, safe='')}"), settings, stop)
        counts = [part_of(state, "request_counts", name) for name in ("completed", "failed")]
        done = sum(each for each in counts if isinstance(each, int))
        if done > told:
            told = done
            print(f"  {done} of {len(batch.prompts)} questions of the batch", file=sys.stderr, flush=True)
        if str(part_of(state, "status")) in OVER:
            return state
        _wait(settings.batch_api.poll_interval, stop)


def _outcomes(oracle: BatchOracle, batch: SentBatch, content: bytes) -> Iterator[tuple[str, Reply | Exception]]:
    """What came of each request, from a file of the server's."""
    for line in content.splitlines():
        row = read_json(line)
        key, status = part_of(row, "custom_id"), part_of(row, "response", "status_code")
        if not isinstance(key, str) or key not in batch.prompts:
            continue
        body = json.dumps(part_of(row, "response", "body")).encode()
        if status == 200:
            try:
                yield key, oracle.read(body, batch.prompts[key])._replace(batched=True)
            except NoAnswer as reason:
                yield key, reason
        elif isinstance(status, int):
            yield key, oracle.failure(ServerReply(status, body))
        else:
            yield key, NoAnswer(oracle.one_line(part_of(row, "error", "message") or "no answer in the batch"))


def _named(oracle: BatchOracle, label: str, settings: Settings, stop: StopRequest) -> str | None:
    """The server's name of a batch whose creation this machine did not hear of; None where it has none.

    Raises GoneError where the server keeps no list, or one that is too long to be read.
    """
    after = ""
    for _ in range(PAGES):
        page = _patiently(partial(_look, oracle, f"/batches?limit=100{after}"), settings, stop)
        listed = part_of(page, "data")
        batches = listed if isinstance(listed, list) else []
        for each in batches:
            if part_of(each, "metadata", LABEL) == label and isinstance(part_of(each, "id"), str):
                return str(each["id"])
        if not batches or part_of(page, "has_more") is not True:
            return None
        after = f"&after={quote(str(part_of(batches[-1], 'id')), safe='')}"
    raise GoneError(f"the batch is not among the last {100 * PAGES}", where=settings.base_url)


def _look(oracle: BatchOracle, path: str) -> Any:
    """The JSON object at an address; raises NoAnswer when there is something else."""
    found = read_json(oracle.exchange("GET", path))
    if not isinstance(found, dict):
        raise NoAnswer("a reply that is no JSON object")
    return found


def _id_in(oracle: BatchOracle, path: str, **content: Any) -> str:
    """The name of what a request has made; raises NoAnswer when the server does not say it."""
    found = part_of(read_json(oracle.exchange("POST", path, **content)), "id")
    if not isinstance(found, str):
        raise NoAnswer("a reply that names nothing that was made")
    return found


def _about_batches(error: Exception) -> OracleError:
    """A refusal of something of the Batch API."""
    if isinstance(error, GoneError):
        fix = "check articles.label.oracle.base_url; without a Batch API there, set batch_api.enabled: false"
        return GoneError(error.what, where=error.where, fix=fix)
    return error if isinstance(error, OracleError) else OracleError(str(error))


def _unless(stop: StopRequest, ask: Callable[[], T], told: str) -> T:
    """What `ask` gives; says what is `told` and raises Interrupted after Ctrl+C and SIGTERM, without waiting for it."""
    future = in_background(ask)
    while not wait([future], timeout=LOOK).done:
        if stop.signum:
            print(f"  {told}", file=sys.stderr, flush=True)
            raise Interrupted(stop.signum)
    return future.result()


def _patiently(ask: Callable[[], T], settings: Settings, stop: StopRequest) -> T:
    """What a question about a batch gives, asked again when the line is lost: it costs nothing."""
    for turn in range(settings.retries + 1):
        try:
            return _unless(stop, ask, GOES_ON)
        except Refused as error:
            raise _about_batches(error) from None
        except NoAnswer as error:
            failure = error
        if turn < settings.retries:
            _wait(settings.batch_api.poll_interval, stop)
    raise OracleError(
        f"the oracle's server says nothing about its batch: {failure}",
        where=settings.base_url,
        fix="run it again: what was sent is on record, and is read when the server is back; `winnow articles label "
        "--retry batches` gives it up, and what it was asked is asked, and paid, again",
    )


def _wait(seconds: float, stop: StopRequest) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if stop.signum:
            print(f"  {GOES_ON}", file=sys.stderr, flush=True)
            raise Interrupted(stop.signum)
        time.sleep(min(left, LOOK))
