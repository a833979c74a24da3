"""What is read of a dvc.lock, whatever is in it."""

import pytest

from tests.conftest import ROOT
from winnow.workspace.lockfile import stages_in

STAGE = b"schema: '2.0'\nstages:\n  filter@climb:\n    cmd: python -m stages.climb.filter\n"


def test_the_stages_of_a_lock_are_named() -> None:
    assert stages_in(STAGE) == {"filter@climb"}
    found = stages_in((ROOT / "dvc.lock").read_bytes())
    assert found is not None
    assert {"check", "train@climb", "plot@sessions"} <= found


@pytest.mark.parametrize(
    "damaged",
    [b"[" * 100_000, b"a: " + b"{" * 100_000, b"a: [" * 50_000 + b"{" * 60_000, STAGE[:40], b"\xff\xfe", b"stages: 3"],
    ids=["brackets", "braces", "both", "cut off", "no text", "another shape"],
)
def test_a_damaged_lock_is_none_and_crashes_nothing(damaged: bytes) -> None:
    """libyaml's C code would end the program at deep nesting of either kind."""
    assert stages_in(damaged) is None
