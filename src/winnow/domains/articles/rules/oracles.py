"""The oracles: `rules`, which counts words, and `openai`, any server that speaks the OpenAI protocol."""

import json
import math
import os
import re
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import numpy as np

from winnow.domains.articles.definitions import RATIONALE, Definition
from winnow.domains.articles.params import Oracle as Settings
from winnow.domains.articles.params import Prices
from winnow.domains.articles.rules.addresses import is_loopback
from winnow.domains.articles.rules.questions import Question
from winnow.domains.articles.rules.servers import LONGEST_REPLY, PATIENCE, Server, ServerReply
from winnow.domains.articles.source.synthetic import score_words
from winnow.pipeline.cache import content_key
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.text import SHORTEST_SECRET, masked

KEYS = ("WINNOW_ORACLE_KEY", "OPENAI_API_KEY")
"""Environment variables that may hold the key, the first one found counts; the second is for OpenAI alone."""

OPENAI = "api.openai.com"

STEPS = 20
"""How finely `rules` scores: half points of a scale of ten."""

BELIEVED = 2**18
"""Tokens beyond what a request should take that a server's count may name: no model thinks or is told more."""
LONGEST_SAID = 2000
"""Bytes of a refusal that are read for the reason."""
REFUSED = frozenset({400, 413, 422, 451})
"""Statuses about one request, such as a content filter's or an article that is too long."""
MODERATED = re.compile("moderat|flagged|content[ _-]?(polic|filter)", re.IGNORECASE)
"""What a 403 says that is about one article, as routers send it whose moderation finds one; any other is the key's."""
TRANSIENT = frozenset({408, 409, 425, 429})
"""Statuses, besides 5xx, after which the same request may be answered."""
GATEWAY_TIMEOUTS = frozenset({504, 524})
"""Statuses of a proxy that did not wait for the server, which may have done the work."""


class Tokens(NamedTuple):
    """What an answer took."""

    prompt_tokens: int
    cached_tokens: int
    """those of the prompt that the server had in its cache"""
    completion_tokens: int
    """without thinking"""
    thinking_tokens: int

    def plus(self, other: "Tokens") -> "Tokens":
        return Tokens(*map(sum, zip(self, other, strict=True)))

    def cost(self, prices: Prices) -> float:
        """US dollars."""
        return (
            (self.prompt_tokens - self.cached_tokens) * prices.prompt
            + self.cached_tokens * prices.cached
            + self.completion_tokens * prices.completion
            + self.thinking_tokens * prices.thinking
        ) / 1e6


class Reply(NamedTuple):
    """An answer and what it took."""

    text: str
    tokens: Tokens
    flaw: str | None = None
    """why the text is no whole answer: cut off at max_tokens, or stopped by a content filter"""
    estimated: bool = False
    """whether the server gave no readable count of tokens"""
    batched: bool = False
    """whether it came through the Batch API, which costs less"""


class Refused(Exception):  # noqa: N818 - a finding about one article, not a failure
    """The server will not answer this request."""


class NoAnswer(Exception):  # noqa: N818 - asked again
    """No answer this time.

    `pause`: seconds that the server asks to wait; `maybe_paid`: it may have done the work; `unreachable`: nothing
    shows that there is a server.
    """

    def __init__(
        self, reason: str, *, pause: float | None = None, maybe_paid: bool = False, unreachable: bool = False
    ) -> None:
        super().__init__(reason)
        self.pause, self.maybe_paid, self.unreachable = pause, maybe_paid, unreachable


def may_be_lost(outcome: Reply | BaseException) -> bool:
    """Whether what came of a request is no answer, and it may be paid all the same."""
    if isinstance(outcome, NoAnswer):
        return outcome.maybe_paid
    return not isinstance(outcome, Reply | Refused | OracleError)


class Oracle(Protocol):
    @property
    def name(self) -> str:
        """What answers are kept under: all that shapes an answer besides the question."""

    def ask(self, question: Question) -> Reply:
        """One request. Raises Refused, NoAnswer, or OracleError when no request can be answered."""

    def highest_cost(self, question: Question) -> float:
        """The highest cost of an answer in US dollars, as far as it is known before the request."""

    def highest_of(self, prompt: int) -> float:
        """The same for a prompt of so many tokens."""


class OracleError(WinnowError):
    """The oracle gives no answers."""


class RulesOracle:
    """Scores by the filter's keywords, as the embedded articles are written, with noise drawn for each question."""

    def __init__(self, definition: Definition, noise: float, seed: int) -> None:
        self.definition, self.noise, self.seed = definition, noise, seed

    @property
    def name(self) -> str:
        return f"rules/{self.noise:g}/{self.seed}"

    def ask(self, question: Question) -> Reply:
        number = [str(question.number)] if question.number else []
        digest = content_key([str(self.seed), question.text, question.variant, *number])
        rng = np.random.default_rng(int(digest[:16], 16))
        scale = self.definition.config.scale
        drawn = {
            name: score + rng.normal(0, self.noise)
            for name, score in score_words(question.text, self.definition).items()
        }
        step = scale.width / STEPS
        steps = {name: round(min(max((score - scale.low) / step, 0), STEPS)) for name, score in drawn.items()}
        scores = {name: scale.low + count * step for name, count in steps.items()}
        reason = {RATIONALE: "the keywords that are not denied"} if RATIONALE in question.schema["required"] else {}
        return Reply(json.dumps({**reason, **scores}), Tokens(0, 0, 0, 0))

    def highest_cost(self, question: Question) -> float:
        del question
        return 0.0

    def highest_of(self, prompt: int) -> float:
        del prompt
        return 0.0


class GoneError(OracleError):
    """The server has nothing at this address: no such model, batch or file, or no Batch API at all."""


class OpenAIOracle:
    """A server with the chat completions of OpenAI's protocol: Gemini's, vLLM, Ollama, llama.cpp, …"""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.key = _key(settings.base_url)
        self.server = Server(settings.base_url, self.key, settings.timeout)

    @property
    def name(self) -> str:
        given = self.settings
        temperature = "default" if given.temperature is None else f"{given.temperature:g}"
        more = {"answer_format": given.answer_format, "reasoning_effort": given.reasoning_effort, **given.extra_body}
        told = f"{given.model}/{temperature}/{given.max_tokens} at {given.base_url.rstrip('/')}"
        changed = {name: value for name, value in more.items() if value not in ("json_schema", None)}
        return f"{told} {json.dumps(changed, sort_keys=True)}" if changed else told

    def body(self, question: Question) -> dict[str, Any]:
        """The request."""
        given = self.settings
        schema = {"name": "scores", "strict": True, "schema": dict(question.schema)}
        formats = {
            "json_schema": {"type": "json_schema", "json_schema": schema},
            "json_object": {"type": "json_object"},
            "text": None,
        }
        fields = {
            "model": given.model,
            "messages": [{"role": "system", "content": question.system}, {"role": "user", "content": question.user}],
            "temperature": given.temperature,
            given.max_tokens_field: given.max_tokens,
            "reasoning_effort": given.reasoning_effort,
            "response_format": formats[given.answer_format],
        }
        return {**{name: value for name, value in fields.items() if value is not None}, **given.extra_body}

    def ask(self, question: Question) -> Reply:
        return self.read(self.exchange("POST", "/chat/completions", json=self.body(question)), prompt_tokens(question))

    def exchange(
        self, method: str, path: str, *, seconds: float | None = None, most: int = LONGEST_REPLY, **content: Any
    ) -> bytes:
        """What the server replies to one request; raises Refused, NoAnswer, or OracleError when it is no success.

        `seconds`: the most for the whole reply, PATIENCE * timeout if None; `most`: bytes of it.
        """
        seconds = PATIENCE * self.settings.timeout if seconds is None else seconds
        try:
            found = self.server.exchange(method, path, seconds=seconds, most=most, **content)
        except TimeoutError as error:
            raise NoAnswer(str(error), maybe_paid=True) from None
        except ConnectionRefusedError as error:  # nothing was sent
            raise NoAnswer(self.one_line(error), unreachable=True) from None
        except OSError as error:
            raise NoAnswer(self.one_line(error), maybe_paid=True, unreachable=True) from None
        except ValueError as error:
            raise NoAnswer(self.one_line(error), maybe_paid=True) from None
        if not 200 <= found.status < 300:
            raise self.failure(found)
        return found.body

    def read(self, body: bytes, sent: int) -> Reply:
        """`read_reply` of a prompt of `sent` tokens at most; in what the server says is no key, which it may repeat."""
        most = Tokens(sent, 0, self.settings.max_tokens, self.settings.thinking_tokens)
        try:
            reply = read_reply(body, most)
        except NoAnswer as error:
            raise NoAnswer(self.one_line(error), pause=error.pause, maybe_paid=error.maybe_paid) from None
        return reply._replace(text=self.without_key(reply.text), flaw=reply.flaw and self.one_line(reply.flaw))

    def highest_cost(self, question: Question) -> float:
        return self.highest_of(prompt_tokens(question))

    def highest_of(self, prompt: int) -> float:
        prices, given = self.settings.prices, self.settings
        answer = given.max_tokens * max(prices.completion, prices.thinking)
        return (prompt * max(prices.prompt, prices.cached) + answer + given.thinking_tokens * prices.thinking) / 1e6

    def failure(self, found: ServerReply) -> Exception:
        """What a status that is no success means: for this request, for now, or for all of them."""
        status, text = found.status, found.body[:LONGEST_SAID].decode(errors="replace")
        body = read_json(found.body)
        told = part_of(body, "error", "message") or part_of(body, "message")
        said = f"status {status}: {self.one_line(told if isinstance(told, str) else text or found.location or '')}"
        if status in REFUSED or (status == 403 and MODERATED.search(text)):
            return Refused(said)
        if status in TRANSIENT or status >= 500:
            return NoAnswer(said, pause=_seconds(found.retry_after), maybe_paid=status in GATEWAY_TIMEOUTS)
        kind = GoneError if status == 404 else OracleError
        return kind(f"the oracle's server refused with {said}", where=self.settings.base_url, fix=_remedy(status))

    def one_line(self, text: Any) -> str:
        """What the server says, in one line; a server may repeat the request's headers."""
        return self.without_key(_encodable(" ".join(str(text).split())))[:300]

    def without_key(self, text: str) -> str:
        """The text with `…` for the key; a short one only where it stands as a word of its own."""
        if self.key and len(self.key) < SHORTEST_SECRET:
            text = re.sub(rf"(?<!\w){re.escape(self.key)}(?!\w)", "…", text)
        return masked(text)


def make_oracle(settings: Settings, definition: Definition, seed: int) -> Oracle:
    if settings.provider == "rules":
        return RulesOracle(definition, settings.noise, seed)
    return OpenAIOracle(settings)


def _key(url: str) -> str | None:
    """The key for a server; raises OracleError when there is none, or none that can be sent."""
    host = urlsplit(url).hostname
    names = KEYS if host == OPENAI else KEYS[:1]  # OpenAI's own key is nobody else's business
    key = next((os.environ[name] for name in names if os.environ.get(name)), None)
    if key is None and not is_loopback(url):
        raise OracleError(
            f"no key for {url}",
            where=f"environment variable {' or '.join(names)}",
            fix=f"export {KEYS[0]}=… in the shell; never write a key into a file of the repository",
        )
    if key and len(key) < SHORTEST_SECRET and re.fullmatch(r"[\d.eE+-]+|true|false|null|.", key):
        raise OracleError(
            "the key is a number, a single character or a word of JSON, which is no key: answers hold such, too",
            where=f"environment variable {' or '.join(names)}",
            fix="copy the key again; for a server that wants none, any word will do, such as `unused`",
        )
    if key and not re.fullmatch("[!-~]+", key):
        raise OracleError(
            "the key holds a blank, a line break or a character beyond ASCII, and no request can carry it",
            where=f"environment variable {' or '.join(names)}",
            fix="copy the key again, without what stands around it",
        )
    return key


def prompt_tokens(question: Question) -> int:
    """The most tokens of a question's prompt."""
    return _most_tokens(question.system, question.user, json.dumps(question.schema))


def read_reply(body: bytes, most: Tokens) -> Reply:
    """The first choice's text and the tokens; raises NoAnswer when there is no choice, and nothing else.

    Tokens that the server does not count readably are estimated, so that the cap on costs holds. `most`: what prompt,
    answer and thinking beside it may take, if the server keeps to max_tokens; some do not, so more is believed up to
    `BELIEVED`, and a count beyond is no count.
    """
    found = read_json(body)
    if found is None:
        raise NoAnswer("a reply that is not JSON, or cut off", maybe_paid=True)
    choices = part_of(found, "choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        said = part_of(found, "error", "message") or part_of(found, "error") or "a reply without choices"
        raise NoAnswer(str(said)[:300], maybe_paid=True)
    content = part_of(choices[0], "message", "content")
    text = _encodable(content) if isinstance(content, str) else ""
    finish, refusal = choices[0].get("finish_reason"), part_of(choices[0], "message", "refusal")
    flaw = {"length": "cut off at max_tokens", "content_filter": "stopped by the server's content filter"}.get(
        str(finish), _encodable(f"refused: {refusal}"[:200]) if refusal else None
    )
    tokens = _tokens(part_of(found, "usage"))
    if tokens is None:
        return Reply(text, most._replace(completion_tokens=_most_tokens(text)), flaw, estimated=True)
    surplus = tokens.prompt_tokens - most.prompt_tokens, sum(tokens[2:]) - sum(most[2:])
    if max(surplus) > BELIEVED:
        return Reply(text, most, flaw, estimated=True)
    return Reply(text, tokens, flaw)


def _encodable(text: str) -> str:
    """The text with a question mark for each half of a surrogate pair, which no file in UTF-8 can hold."""
    return text.encode(errors="replace").decode()


def _tokens(usage: Any) -> Tokens | None:
    """The server's count; None when it is missing or unreadable.

    Thinking counts whether it is within the completion (OpenAI) or beside it (then only the total shows it).
    """
    prompt, completion = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    if not prompt or completion is None:
        return None
    cached = min(_count(usage, "prompt_tokens_details", "cached_tokens") or 0, prompt)
    thinking = _count(usage, "completion_tokens_details", "reasoning_tokens") or 0
    total = _count(usage, "total_tokens")
    beside = max((total or 0) - prompt - completion, thinking * (thinking > completion), 0)
    inside = 0 if beside else min(thinking, completion)
    return Tokens(prompt, cached, completion - inside, inside + beside)


def read_json(body: bytes) -> Any:
    """The JSON of a reply, whatever bytes in it are no text; None where it is none, or nested too deeply."""
    try:
        return json.loads(body.decode(json.detect_encoding(body), errors="replace"))
    except (ValueError, RecursionError):
        return None


def part_of(value: Any, *names: str) -> Any:
    """What is under the names, one within another; None where there is nothing."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _count(value: Any, *names: str) -> int | None:
    """A count that may also be text; None when it is no whole number from 0 on."""
    found = str(part_of(value, *names))
    return int(float(found)) if re.fullmatch(r"[0-9]{1,12}(\.0*)?", found) else None


def _most_tokens(*texts: str) -> int:
    """The most tokens that texts may take: one a byte, in any language, and a few that mark the messages."""
    return sum(len(text.encode(errors="replace")) for text in texts) + 16


def _seconds(header: str | None) -> float | None:
    try:
        found = float(header or "")
    except ValueError:  # a date, which few servers send
        return None
    return None if math.isnan(found) else max(found, 0.0)


def _remedy(status: int) -> str:
    if status in {401, 403}:
        return f"check the key in {KEYS[0]}"
    if status == 404:
        return "check articles.label.oracle.base_url and model"
    if 300 <= status < 400:
        return "name the address to which it points in articles.label.oracle.base_url: articles are not sent on"
    return "see the message above; what was answered is kept"
