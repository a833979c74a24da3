"""The client against a real model server: transformers' own, with a tiny Qwen2 that has learnt nothing."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from tests.stages.articles_oracle.stub import KEY, PRICES, open_labeller, some_articles
from tests.stages.programs import Programs
from winnow.domains.articles.definitions import Definition
from winnow.domains.articles.model.pretrained import train_tokenizer
from winnow.domains.articles.params import Oracle

CHAT = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"
PATIENCE = 60
"""Seconds for the server to start: it imports torch."""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A causal Qwen2 with random weights, its tokenizer and a chat template."""
    folder = tmp_path / "qwen"
    tokenizer = train_tokenizer(["The volunteers rebuilt the school together, and it recovered. " * 3], 300)
    tokenizer.chat_template = CHAT
    tokenizer.save_pretrained(folder)
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = Qwen2Config(vocab_size=len(tokenizer), num_key_value_heads=1, **size)
        Qwen2ForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture
def url(model: Path) -> Iterator[str]:
    """The address of `transformers serve`, which is killed at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [Path(sys.executable).with_name("transformers"), "serve", model, "--host", "127.0.0.1"]
    log = model.with_suffix(".log")
    with log.open("wb") as told:
        server = subprocess.Popen(
            [*command, "--port", str(port), "--device", "cpu"],
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            stdout=told,
            stderr=told,
            start_new_session=True,
        )
    try:
        end = time.monotonic() + PATIENCE
        while not answers(f"http://127.0.0.1:{port}/health"):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def test_what_a_real_model_babbles_is_paid_counted_and_never_a_number(
    url: str, model: Path, here: Programs, definition: Definition
) -> None:
    given = here.section("label").oracle.model_dump() | {
        "provider": "openai",
        "model": str(model),
        "base_url": url,
        "max_tokens": 16,
        "concurrency": 4,
        "parse_retries": 1,
        "prices": PRICES | {"model": str(model)},
    }
    settings, articles = Oracle.model_validate(given), some_articles(6)
    with open_labeller(definition, settings, 100.0, 0) as labeller:
        found = list(labeller.label_all(articles))
        use = labeller.use
    assert [each.article_id for each in found] == [each.article_id for each in articles]
    assert all(each.scores is None for each in found)
    assert all(len(each.failures) == 2 for each in found), "asked once more after a malformed answer"
    assert use.requests == use.malformed == 12
    assert use.tokens.prompt_tokens > 12 * 100, "the server's own count"
    assert 0 < use.tokens.completion_tokens <= 12 * 16
    assert use.cost_usd == (use.tokens.prompt_tokens * 0.3 + use.tokens.completion_tokens * 2.5) / 1e6

    with open_labeller(definition, settings, 100.0, 0) as labeller:
        again = list(labeller.label_all(articles))
        assert labeller.use.paid_now_usd == 0, "malformed answers are kept and not paid again"
    assert again == found
    for file in Path(".winnow").rglob("*"):
        assert file.is_dir() or KEY.encode() not in file.read_bytes()
