"""
A training in two processes beside one, of every domain, and the same two as two machines would start them.

    python -m benchmarks.pipeline.processes [DOMAIN ...]

With the preset `tiny`, by gloo on the processor: the headline metric of either, and whether the one of two processes
lies in the interval of one (dropout and negatives are each process's own). `as_two_machines` says whether the lines of
docs/gpus.md, torchrun with `--nnodes 2` on this machine's loopback, give the bytes of `runtime.devices: 2`.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measure import merge, run
from benchmarks.pipeline.kills import cold_copy, finish
from winnow.domains.load import domain_names

DVC = [sys.executable, "-m", "dvc"]


def headline(copy: Path, domain: str) -> dict[str, Any]:
    found = json.loads((copy / "metrics" / domain / "evaluate.json").read_text())
    name = next(key.removesuffix("_low") for key in found if key.endswith("_low"))
    return {"metric": name, "value": found[name], "low": found[f"{name}_low"], "high": found[f"{name}_high"]}


def weights(copy: Path, domain: str) -> bytes:
    return (copy / "data" / domain / "train/model/model.safetensors").read_bytes()


def by_two_torchruns(copy: Path, domain: str) -> None:
    """Train as two machines do, each with one process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1", "--rdzv-id", "1"),
        *("--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{port}", "-m", f"stages.{domain}.train"),
    ]
    machines = [subprocess.Popen(command, cwd=copy, env={**os.environ, "PYTHONPATH": "src"}) for _ in range(2)]
    if codes := [code for machine in machines if (code := machine.wait(1200))]:
        sys.exit(f"torchrun ended with {codes} in {copy}")


def measured(domain: str, scratch: Path) -> dict[str, Any]:
    copies = {processes: cold_copy(scratch / f"{domain}-{processes}", domain, processes) for processes in (1, 2)}
    for copy in copies.values():
        finish(copy, domain)
    one, two = (headline(copy, domain) for copy in copies.values())
    machines = cold_copy(scratch / f"{domain}-machines", domain, 1)
    run([*DVC, "repro", f"weight@{domain}"], machines)
    by_two_torchruns(machines, domain)
    return {
        "one": one,
        "two": two["value"],
        "in_interval": one["low"] <= two["value"] <= one["high"],
        "as_two_machines": weights(machines, domain) == weights(copies[2], domain),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        for domain in sys.argv[1:] or domain_names():
            merge("pipeline/processes", {domain: measured(domain, Path(scratch))})


if __name__ == "__main__":
    main()
