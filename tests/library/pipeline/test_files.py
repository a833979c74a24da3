"""Results that are read back."""

from pathlib import Path

import pytest

from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import read_json, write_json


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
