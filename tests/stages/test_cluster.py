"""Row-wise work on a real Dask scheduler, and on Ray, with two workers on this machine: the bytes of this process."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

import stages
from tests.conftest import ROOT
from tests.stages.conftest import Finished
from tests.stages.programs import Programs
from tests.stages.test_bytes import digest
from winnow.images.store import ImageWriter
from winnow.pipeline import cluster, parallel
from winnow.pipeline.errors import ParamsError, WinnowError
from winnow.pipeline.params import Document, Runtime

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")


@dataclass
class Cluster:
    """A scheduler and its workers, as docs/gpus.md starts them."""

    address: str
    workers: list[subprocess.Popen[bytes]]
    file: Path

    def add(self) -> None:
        named = ("--scheduler-file", str(self.file), "--nthreads", "1", "--no-nanny", "--no-dashboard")
        self.workers.append(started("worker", *named))


def started(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "stages.worker",
            sys.executable,
            "-m",
            "distributed.cli.dask_" + command[0],
            *command[1:],
        ],
        cwd=ROOT,
        env={**os.environ, "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    file = tmp_path_factory.mktemp("dask") / "scheduler.json"
    scheduler = started(
        "scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file), "--no-dashboard"
    )
    made = Cluster("", [], file)
    try:
        until = time.monotonic() + 60
        while not file.exists() or not file.read_text().endswith("}"):
            assert scheduler.poll() is None, "the scheduler does not start"
            assert time.monotonic() < until, "the scheduler does not answer"
            time.sleep(0.05)
        made.address = json.loads(file.read_text())["address"]
        made.add()
        made.add()
        from distributed import Client  # noqa: PLC0415

        with Client(made.address, timeout=30, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
        yield made
    finally:
        for each in (*made.workers, scheduler):
            each.kill()
            each.wait()


def on(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Programs run with this `runtime.cluster`."""
    given = Runtime.model_validate
    monkeypatch.setattr(Runtime, "model_validate", lambda values: given(values | {"cluster": address}))


@pytest.mark.parametrize("finished", ["documents", "articles", "retina"], indirect=True)
def test_two_workers_make_the_bytes_of_this_machine(
    finished: Finished, domain: Programs, dask: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(monkeypatch, dask.address)
    monkeypatch.setattr(parallel, "cores", lambda: pytest.fail("computed by this machine's cores"))
    stage = {"documents": "label", "articles": "filter", "retina": "ingest"}[domain.domain]
    domain.run(stage)
    assert digest(Path(), domain.domain, stage) == digest(finished.folder, domain.domain, stage)


@pytest.mark.parametrize("finished", ["documents"], indirect=True)
def test_a_worker_that_is_killed_midway_changes_nothing(
    finished: Finished, domain: Programs, dask: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(monkeypatch, dask.address)
    add, added = ImageWriter.add, 0
    victim = dask.workers.pop()

    def killing(self: ImageWriter, image_id: str, image: bytes) -> None:
        nonlocal added
        added += 1
        if added == 2:
            victim.send_signal(signal.SIGKILL)
        add(self, image_id, image)

    monkeypatch.setattr(ImageWriter, "add", killing)
    domain.run("label")
    assert victim.wait(10) == -signal.SIGKILL
    dask.add()
    assert added > 2
    assert digest(Path(), "documents", "label") == digest(finished.folder, "documents", "label")


@pytest.fixture(scope="module")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Ray of two cores, started as docs/gpus.md does."""
    pytest.importorskip("ray", reason="Ray is not installed")
    gcs, client = free_ports(2)
    ray = [sys.executable, "-m", "ray.scripts.scripts"]
    ports = [f"--port={gcs}", f"--ray-client-server-port={client}", "--dashboard-agent-listen-port=0"]
    bounds = ["--num-cpus=2", "--object-store-memory=100000000", "--include-dashboard=false", "--disable-usage-stats"]
    with (tmp_path_factory.mktemp("ray") / "log.txt").open("wb") as log:
        head = subprocess.Popen(
            [sys.executable, "-m", "stages.worker", *ray, "start", "--head", "--block", *ports, *bounds],
            cwd=ROOT, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            wait_for(client, head)
            yield f"ray://127.0.0.1:{client}"
        finally:
            head.terminate()  # stops what it has started
            head.wait(60)


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until something answers at the port."""
    until = time.monotonic() + 60
    while True:
        assert process.poll() is None, "it does not start"
        assert time.monotonic() < until, "it does not answer"
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)


@pytest.mark.parametrize("finished", ["documents", "articles", "retina"], indirect=True)
def test_ray_makes_the_bytes_of_this_machine(
    finished: Finished, domain: Programs, ray: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(monkeypatch, ray)
    monkeypatch.setattr(parallel, "cores", lambda: pytest.fail("computed by this machine's cores"))
    stage = {"documents": "label", "articles": "filter", "retina": "ingest"}[domain.domain]
    domain.run(stage)
    assert digest(Path(), domain.domain, stage) == digest(finished.folder, domain.domain, stage)


def dies_once(task: tuple[Path, int]) -> int:
    """The process that computes it; the first one that computes task 3 dies of it."""
    folder, number = task
    if number == 3 and not (folder / "dead").exists():
        (folder / "dead").write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)
    return number if os.getpid() != int((folder / "parent").read_text()) else -1


def refuses(number: int) -> int:
    raise WinnowError(f"page {number} is blank", fix="scan it anew")


def test_ray_goes_on_without_a_worker_that_dies_and_passes_errors_on(
    tmp_path: Path, ray: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").touch()
    Path("parent").write_text(str(os.getpid()))
    with parallel.workers(ray):
        tasks = ((tmp_path, number) for number in range(40))
        assert list(parallel.spread(dies_once, tasks, prefer="threads")) == list(range(40))
        assert int(Path("dead").read_text()) != os.getpid()
        with pytest.raises(WinnowError, match="page 0 is blank") as error:
            next(parallel.spread(refuses, range(3), prefer="threads"))
        assert (type(error.value), error.value.fix) == (WinnowError, "scan it anew")


def test_an_address_without_a_scheduler_is_told_within_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").touch()
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    told = r"no cluster answers at tcp://127.0.0.1:9(.|\n)*runtime.cluster(.|\n)*null"
    with pytest.raises(WinnowError, match=told), parallel.workers("tcp://127.0.0.1:9"):
        pass


@pytest.mark.parametrize(("address", "package"), [("tcp://host:8786", "distributed"), ("ray://host:10001", "ray")])
def test_a_missing_engine_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, package: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").touch()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(WinnowError, match=f"not installed(.|\n)*pip install '?{package}"), parallel.workers(address):
        pass


@pytest.mark.parametrize("address", ["host:8786", "http://host:1", "tcp://host", "tcp:// host:1"])
def test_what_is_no_address_is_told_with_its_line(tmp_path: Path, address: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(f"runtime: {{device: cpu, devices: 1, num_workers: 0, progress: none, cluster: '{address}'}}\n")
    with pytest.raises(ParamsError, match=r"params.yaml:1: `runtime.cluster` is .*tcp://HOST:8786.*ray://HOST:10001"):
        Document(file).section(("runtime",), Runtime)


def test_a_worker_of_other_packages_or_kernels_or_without_the_checkout_refuses(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text("seed: 1\n")
    key = cluster.content_key([file.read_bytes()])
    cluster.check_worker(str(tmp_path), key, tuple(cluster.facts().items()))
    for name in ("numpy", "code of winnow", "OPENBLAS_NUM_THREADS"):
        other = tuple((cluster.facts() | {name: "another"}).items())
        with pytest.raises(WinnowError, match=f"would compute other bytes: {name} .*, not another"):
            cluster.check_worker(str(tmp_path), key, other)
    with pytest.raises(WinnowError, match="does not see this checkout"):
        cluster.check_worker(str(tmp_path / "elsewhere"), key, tuple(cluster.facts().items()))
    assert set(stages.KERNELS) <= set(cluster.KERNELS)
