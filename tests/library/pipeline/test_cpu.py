"""Machines whose bytes may differ are told so."""

from pathlib import Path

import pytest

from stages import check
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


def test_the_check_tells_it_in_two_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("seed: 1\n")
    monkeypatch.setattr(check, "validate_params", id)
    monkeypatch.setattr(check, "program_digests", dict)
    monkeypatch.setattr(check, "cpu_warning", lambda: cpu_warning("x86_64", Path("none")))
    check.main()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(check, "cpu_warning", lambda: cpu_warning("aarch64"))
    check.main()
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("because it is no x86-64 CPU (aarch64).")
    assert second.startswith("  Stages that run here write valid results")
