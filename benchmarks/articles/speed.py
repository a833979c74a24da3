"""
Speed of the prefilter (articles a second, and its memory), of labelling against a server of 20 ms latency, and of a
training step of MiniLM.

    python -m benchmarks.articles.speed

What is printed is also in benchmarks/articles/results/speed.json.
"""

import json
import multiprocessing
import os
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as arrow
import torch
from pyarrow.parquet import ParquetWriter

from benchmarks.measure import ROOT, merge
from stages import KERNELS
from stages.articles.filter import mark_duplicates, sift_articles
from tests.stages.oracle_server import OracleServer
from winnow.domains.articles.model import pretrained
from winnow.domains.articles.params import Filter, Ingest, Label
from winnow.domains.articles.rules.labelling import open_labeller
from winnow.domains.articles.rules.outcomes import Article
from winnow.domains.articles.rules.parts import BATCH_ROWS, READ
from winnow.domains.articles.source import synthetic
from winnow.domains.articles.source.filters import read_filter
from winnow.learn.task import adamw
from winnow.pipeline.params import Document

LATENCY, CONCURRENCY, REQUESTS = 0.02, 8, 1000


def serve(pipe: Any) -> None:
    scores = json.dumps(dict.fromkeys(read_filter("uplifting/v1").names, 5))
    with OracleServer(lambda *_: scores, latency=LATENCY) as server:
        pipe.send(server.url)
        pipe.recv()


def write_articles(path: Path, count: int) -> None:
    """Embedded articles, one after another, cut to 1,000 characters."""
    drawn = Document(ROOT / "params.yaml").section(("articles", "ingest"), Ingest).synthetic
    texts = synthetic.make(drawn, read_filter("uplifting/v1"), np.random.default_rng(0)).articles["content"].tolist()
    written = 0
    with ParquetWriter(path, arrow.schema([(name, arrow.string()) for name in READ])) as file:
        while written < count:
            rows = []
            for number in range(written, min(written + BATCH_ROWS, count)):
                text, start = f"Article {number}.", number % len(texts)
                rows.append((f"a{number:07d}", "", " ".join([text, *texts[start:], *texts])[:1000], "", None, None))
            file.write_table(arrow.table(dict(zip(READ, zip(*rows, strict=True), strict=True)), schema=file.schema))
            written += len(rows)


def sift(path: Path, duplicates: str) -> tuple[float, float, float]:
    """Seconds, seconds of processor time, and the highest memory of this process in MiB."""
    rules = read_filter("uplifting/v1").prefilter
    params = Document(ROOT / "params.yaml").section(("articles", "filter"), Filter)
    began, cpu = time.perf_counter(), time.process_time()
    mark_duplicates(sift_articles(path, rules), path, params.model_copy(update={"duplicates": duplicates}))
    used = time.process_time() - cpu
    return time.perf_counter() - began, used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def prefilter(few: int, many: int, duplicates: str) -> dict[str, float]:
    """The filter stage's work on a file of articles of 1,000 characters; each in a process of its own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool,
    ):
        paths = {count: Path(folder, f"{count}.parquet") for count in (few, many)}
        for count, path in paths.items():
            pool.submit(write_articles, path, count).result()
        (_, _, before), (seconds, used, after) = (
            pool.submit(sift, path, duplicates).result() for path in paths.values()
        )
    return {
        "articles": many,
        "per_second_wall": round(many / seconds),
        "per_cpu_second": round(many / used),
        "memory_grown_mib": round(after - before, 1),
        "memory_grown_bytes_an_article": round((after - before) * 2**20 / (many - few)),
    }


def bare(url: str, requests: int) -> float:
    """Seconds of the same number of plain requests on kept connections: what the machine allows at this moment."""
    host, _, _ = url.removeprefix("http://").partition("/")
    messages = [{}, {"content": "\n\n--- bare ---\nbare\n--- bare ---"}]
    body = json.dumps({"model": "stub", "messages": messages})

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
    label = Document(ROOT / "params.yaml").section(("articles", "label"), Label)
    params = label.oracle.model_dump()
    url = ours.recv()
    prices = {**params["prices"], "model": params["model"]}
    given = {**params, "provider": "openai", "base_url": url, "concurrency": CONCURRENCY, "prices": prices}
    changes = {"oracle": type(label.oracle).model_validate(given), "max_cost_usd": 1000.0}
    rows = [Article(f"a{n}", "", f"Article {n}: volunteers rebuilt it.") for n in range(REQUESTS)]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DVC_ROOT"] = folder
        with open_labeller(definition, label.model_copy(update=changes), 0) as labeller:
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


def minilm_step(precision: str) -> float:
    """Seconds of processor time of one step of MiniLM on 32 articles of 24 tokens, on one thread."""
    torch.set_num_threads(1)
    model = pretrained.load_backbone("minilm")
    assert model is not None
    model.train()
    optimizer = adamw([{"params": list(model.parameters())}], 1e-5, 0.0)
    ids = torch.randint(1000, 20_000, (32, 24))
    for step in range(3):
        if step == 1:
            began = time.process_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            hidden = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        hidden.float().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return (time.process_time() - began) / 2


def training() -> dict[str, float]:
    """Seconds of a step, as the machine computes, and with the kernels that give the same bytes on every CPU."""
    found = {}
    for name, variables in {"own_kernels": {}, "dvc": KERNELS}.items():
        for variable in KERNELS:
            os.environ.pop(variable, None)
        os.environ.update(variables)
        for precision in ("fp32", "bf16"):
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                found[f"{precision}_{name}"] = round(pool.submit(minilm_step, precision).result(), 3)
    return found


def main() -> None:
    merge("articles/speed", {"filter_exact": prefilter(20_000, 200_000, "exact")})
    merge("articles/speed", {"filter_near_duplicates": prefilter(5_000, 20_000, "drop")})
    merge("articles/speed", {"labelling": labelling()})
    merge("articles/speed", {"seconds_of_a_training_step": training()})


if __name__ == "__main__":
    main()
