"""Machines whose bytes may differ are told so."""

from pathlib import Path

import pytest

from winnow.pipeline.cpu import cpu_warning


@pytest.mark.parametrize(
    ("machine", "flags", "message"),
    [
        ("x86_64", "flags : fpu sse2 avx avx2 fma", ""),
        ("x86_64", "flags : fpu sse2 avx fma", "because it has no AVX2"),
        ("AMD64", None, ""),
        ("arm64", None, "because it is no x86-64 CPU (arm64)"),
    ],
)
def test_a_cpu_without_avx2_is_reported(tmp_path: Path, machine: str, flags: str | None, message: str) -> None:
    info = tmp_path / "cpuinfo"
    if flags:
        info.write_text(flags)
    warning = cpu_warning(machine, info)
    assert message in warning
    assert bool(warning) == bool(message)
