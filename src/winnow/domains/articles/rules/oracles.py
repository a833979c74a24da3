"""The oracles: `rules`, which counts words, and `openai`, any server that speaks the OpenAI protocol."""

import json
import math
import os
import re
from typing import Any, NamedTuple, Protocol, cast
from urllib.parse import urlsplit

import numpy as np

from winnow.domains.articles.definitions import Definition
from winnow.domains.articles.params import Oracle as Settings
from winnow.domains.articles.params import Prices
from winnow.domains.articles.rules.questions import Question
from winnow.domains.articles.source.synthetic import score_words
from winnow.pipeline.cache import content_key
from winnow.pipeline.errors import WinnowError

KEYS = ("WINNOW_ORACLE_KEY", "OPENAI_API_KEY")
"""Environment variables that may hold the key, the first one found counts."""

CHARACTERS_PER_TOKEN = 3.0
"""For estimates: English has about 4, other languages fewer."""


class Tokens(NamedTuple):
    """What an answer took; the completion is counted without thinking."""

    prompt_tokens: int
    completion_tokens: int
    thinking_tokens: int

    def plus(self, other: "Tokens") -> "Tokens":
        return Tokens(*map(sum, zip(self, other, strict=True)))

    def cost(self, prices: Prices) -> float:
        """US dollars."""
        return (
            self.prompt_tokens * prices.prompt
            + self.completion_tokens * prices.completion
            + self.thinking_tokens * prices.thinking
        ) / 1e6


class Reply(NamedTuple):
    """An answer and what it took."""

    text: str
    tokens: Tokens


class Oracle(Protocol):
    @property
    def name(self) -> str:
        """What answers are kept under: all that shapes an answer besides the question."""

    def ask(self, question: Question) -> Reply: ...

    def highest_cost(self, question: Question) -> float:
        """The highest cost of an answer in US dollars, as far as it is known before the request."""


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
        digest = content_key([str(self.seed), question.text, question.variant])
        rng = np.random.default_rng(int(digest[:16], 16))
        scale = self.definition.config.scale
        drawn = {
            name: score + rng.normal(0, self.noise)
            for name, score in score_words(question.text, self.definition).items()
        }
        scores = {name: round(2 * min(max(score, scale.low), scale.high)) / 2 for name, score in drawn.items()}
        return Reply(json.dumps(scores), Tokens(0, 0, 0))

    def highest_cost(self, question: Question) -> float:
        del question
        return 0.0


class OpenAIOracle:
    """A server with the chat completions of OpenAI's protocol: Gemini's, vLLM, Ollama, llama.cpp, …

    The client retries refusals (429, 5xx), time-outs and lost connections with growing pauses, and waits as long as a
    server's Retry-After says (up to two minutes).
    """

    def __init__(self, settings: Settings) -> None:
        from openai import OpenAI  # noqa: PLC0415 - half a second, for nothing where the oracle is `rules`

        self.settings = settings
        key = next((os.environ[name] for name in KEYS if os.environ.get(name)), None)
        if key is None and not _is_local(settings.base_url):
            raise OracleError(
                f"no key for {settings.base_url}",
                where=f"environment variables {' and '.join(KEYS)}",
                fix=f"export {KEYS[0]}=… in the shell; never write a key into a file of the repository",
            )
        if key and not re.fullmatch("[!-~]+", key):
            raise OracleError(
                "the key holds a blank, a line break or a character beyond ASCII, and no request can carry it",
                where=f"environment variables {' and '.join(KEYS)}",
                fix="copy the key again, without what stands around it",
            )
        self.client: OpenAI = OpenAI(
            api_key=key or "none", base_url=settings.base_url, timeout=settings.timeout, max_retries=settings.retries
        )

    @property
    def name(self) -> str:
        given = self.settings
        return f"{given.model}/{given.temperature:g}/{given.max_tokens} at {given.base_url.rstrip('/')}"

    def ask(self, question: Question) -> Reply:
        """Raises OracleError when the server refuses, or does not answer after all retries."""
        import openai  # noqa: PLC0415

        schema = {"name": "scores", "strict": True, "schema": dict(question.schema)}
        body = {
            "model": self.settings.model,
            "messages": [{"role": "system", "content": question.system}, {"role": "user", "content": question.user}],
            "temperature": self.settings.temperature,
            "max_tokens": self.settings.max_tokens,
            "response_format": {"type": "json_schema", "json_schema": schema},
        }
        try:  # what `chat.completions.create` does, without its walk through the types of both bodies
            found = json.loads(self.client.post("/chat/completions", cast_to=bytes, body=body))
        except openai.APIStatusError as error:
            raise OracleError(
                f"the oracle's server refused with status {error.status_code}: {_message(error)}",
                where=self.settings.base_url,
                fix=_remedy(error.status_code),
            ) from None
        except openai.APIError as error:
            raise OracleError(
                f"the oracle's server gives no answer: {error.message}",
                where=f"{self.settings.base_url} (tried {self.settings.retries + 1} times)",
                fix="check articles.label.oracle.base_url, timeout and retries; what was answered is kept",
            ) from None
        except ValueError as error:  # a body that says it is JSON and is none, or is cut off
            raise OracleError(
                f"the oracle's server sends no readable answer: {error}",
                where=self.settings.base_url,
                fix="check articles.label.oracle.base_url; what was answered is kept",
            ) from None
        return _reply(found, question)

    def highest_cost(self, question: Question) -> float:
        dearest = max(self.settings.prices.completion, self.settings.prices.thinking)
        prompt = _tokens_of(_sent(question)) * self.settings.prices.prompt
        return (prompt + self.settings.max_tokens * dearest) / 1e6


def make_oracle(settings: Settings, definition: Definition, seed: int) -> Oracle:
    if settings.provider == "rules":
        return RulesOracle(definition, settings.noise, seed)
    return OpenAIOracle(settings)


def _reply(found: Any, question: Question) -> Reply:
    """The first choice's text and the tokens. Reasoning counts whether or not the server counts it as completion.

    Without a count from the server the tokens are estimated from the characters, so that the cap on costs holds.
    """
    choices = _part(found, "choices")
    content = _part(choices[0], "message", "content") if isinstance(choices, list) and choices else None
    text = content if isinstance(content, str) else ""
    usage = _part(found, "usage")
    prompt, completion = _part(usage, "prompt_tokens") or 0, _part(usage, "completion_tokens") or 0
    if not prompt:
        return Reply(text, Tokens(_tokens_of(_sent(question)), _tokens_of(len(text)), 0))
    inside = min(_part(usage, "completion_tokens_details", "reasoning_tokens") or 0, completion)
    beside = max((_part(usage, "total_tokens") or 0) - prompt - completion, 0)
    return Reply(text, Tokens(prompt, completion - inside, inside + beside))


def _part(value: Any, *names: str) -> Any:
    """What is under the names, one within another; None where there is nothing."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _sent(question: Question) -> int:
    """Characters of a request."""
    return len(question.system) + len(question.user) + len(json.dumps(question.schema))


def _tokens_of(characters: int) -> int:
    return math.ceil(characters / CHARACTERS_PER_TOKEN)


def _is_local(url: str) -> bool:
    return urlsplit(url).hostname in {"localhost", "127.0.0.1", "::1"}


def _message(error: Any) -> str:
    body = error.body
    text = body.get("message") if isinstance(body, dict) else None
    return str(text or cast("str", error.message))[:300]


def _remedy(status: int) -> str:
    if status in {401, 403}:
        return f"check the key in {KEYS[0]}"
    if status == 404:
        return "check articles.label.oracle.base_url and model"
    if status == 429:
        return "lower articles.label.oracle.concurrency, or raise retries; what was answered is kept"
    return "see the message above; what was answered is kept"
