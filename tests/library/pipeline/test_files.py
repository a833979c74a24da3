"""Results that are read back."""

from pathlib import Path

import pytest

from winnow.pipeline.errors import WinnowError, from_os_error
from winnow.pipeline.files import atomic_path, read_json, write_json


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_json(tmp_path / "evaluate.json", {"verdict": "PASS", "mae": 0.25})
    assert read_json(tmp_path / "evaluate.json") == {"verdict": "PASS", "mae": 0.25}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        ('{"mae": 0.2', "is not valid JSON"),
        ("[1]", "holds no JSON object"),
        (b"\xff", "valid"),
        ('{"mae": 0.2}', "lacks verdict"),
    ],
)
def test_a_broken_file_is_one_error_that_names_it(tmp_path: Path, content: str | bytes | None, message: str) -> None:
    file = tmp_path / "evaluate.json"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(WinnowError, match=rf"evaluate\.json .*{message}") as caught:
        read_json(file, "mae", "verdict")
    assert "dvc repro" in caught.value.fix


def test_a_full_disk_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    """Python names no file when a write fails, only when opening does."""
    target = tmp_path / "evaluate.json"
    with (
        pytest.raises(OSError, match="No space left") as caught,
        atomic_path(target),
        Path("/dev/full").open("wb") as full,
    ):
        full.write(b"0")
    assert f"No space left on device\n  where: {target}\n  to do: free some space" in str(from_os_error(caught.value))
