"""
Speed of the prefilter (articles a second, and its memory) and of labelling against a server of 20 ms latency.

    env PYTHONPATH=src:. python benchmarks/articles_speed.py

What is printed is also in benchmarks/results/articles_speed.json.
"""

import json
import multiprocessing
import os
import resource
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

from measure import ROOT, merge

from tests.stages.oracle_server import OracleServer
from winnow.domains.articles.params import Label
from winnow.domains.articles.rules.labelling import Article
from winnow.domains.articles.rules.prefilter import Sieve
from winnow.domains.articles.rules.stores import open_labeller
from winnow.domains.articles.source.filters import read_filter
from winnow.pipeline.params import Document

LATENCY, CONCURRENCY, REQUESTS = 0.02, 8, 1000


def serve(pipe: Any) -> None:
    scores = json.dumps(dict.fromkeys(read_filter("uplifting/v1").names, 5))
    with OracleServer(lambda *_: scores, latency=LATENCY) as server:
        pipe.send(server.url)
        pipe.recv()


def prefilter(articles: int) -> dict[str, float]:
    sieve = Sieve(read_filter("uplifting/v1").prefilter)
    text = ("The people of the town said that it was a good day and that volunteers would do it again. " * 12)[:1000]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, cpu = time.perf_counter(), time.process_time()
    for number in range(articles):
        sieve.sift(f"Title {number}", text, "paper", "2024-05-01", None)
    used = time.process_time() - cpu
    return {
        "articles": articles,
        "per_second_wall": round(articles / (time.perf_counter() - began)),
        "per_cpu_second": round(articles / used),
        "memory_grown_mib": round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, 1),
    }


def bare(url: str, requests: int) -> float:
    """Seconds of the same number of plain requests on kept connections: what the machine allows at this moment."""
    host, _, _ = url.removeprefix("http://").partition("/")
    schema = {"json_schema": {"schema": {"properties": {}}}}
    messages = [{}, {"content": "<article>\nbare\n</article>"}]
    body = json.dumps({"model": "stub", "messages": messages, "response_format": schema})

    def ask(_: int) -> None:
        connection = HTTPConnection(host)
        for _ in range(requests // CONCURRENCY):
            connection.request("POST", "/v1/chat/completions", body, {"Authorization": "none"})
            connection.getresponse().read()

    began = time.perf_counter()
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        list(pool.map(ask, range(CONCURRENCY)))
    return time.perf_counter() - began


def labelling() -> dict[str, float]:
    definition = read_filter("uplifting/v1")
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=serve, args=(theirs,))
    process.start()
    params = Document(ROOT / "params.yaml").section(("articles", "label"), Label).oracle.model_dump()
    url = ours.recv()
    given = {**params, "provider": "openai", "base_url": url, "concurrency": CONCURRENCY}
    settings = type(Document(ROOT / "params.yaml").section(("articles", "label"), Label).oracle).model_validate(given)
    rows = [Article(f"a{n}", "", f"Article {n}: volunteers rebuilt it.") for n in range(REQUESTS)]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DVC_ROOT"] = folder
        with open_labeller(definition, settings, 1000.0, 0) as labeller:
            list(labeller.label_all(rows[:50]))
            began, cpu = time.perf_counter(), time.process_time()
            list(labeller.label_all(rows[50:]))
            seconds, used = time.perf_counter() - began, time.process_time() - cpu
    plain = bare(url, REQUESTS)
    ours.send("done")
    process.join()
    count, ideal = len(rows) - 50, CONCURRENCY / LATENCY
    return {
        "requests": count,
        "concurrency": CONCURRENCY,
        "latency_seconds": LATENCY,
        "per_second": round(count / seconds, 1),
        "share_of_ideal": round(count / seconds / ideal, 3),
        "bare_share_of_ideal": round(REQUESTS / plain / ideal, 3),
        "client_cpu_ms_per_request": round(1000 * used / count, 2),
    }


def main() -> None:
    merge("articles_speed", {"prefilter": prefilter(100_000)})
    merge("articles_speed", {"labelling": labelling()})


if __name__ == "__main__":
    main()
