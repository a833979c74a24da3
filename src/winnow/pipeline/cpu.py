"""Whether this machine can write the same bytes as others: `dvc.lock` is promised for x86-64 CPUs with AVX2."""

import platform
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")


def cpu_warning(machine: str | None = None, info: Path = CPU_INFO) -> str:
    """A warning for a CPU whose results may differ from the committed ones in the last bits; else empty.

    `machine` is the architecture (default: this one), `info` Linux's list of CPU flags. Other systems do not list them:
    there an x86-64 CPU counts as one with AVX2, as nearly all are.
    """
    machine = machine or platform.machine()
    if machine not in {"x86_64", "AMD64"}:
        reason = f"it is no x86-64 CPU ({machine})"
    elif info.exists() and "avx2" not in info.read_text(encoding="utf-8", errors="replace").split():
        reason = "it has no AVX2"
    else:
        return ""
    return (
        f"warning: results on this CPU may differ in their last bits from those in dvc.lock, because {reason}.\n"
        "  Stages that run here write valid results; `dvc.lock` will show other hashes."
    )
