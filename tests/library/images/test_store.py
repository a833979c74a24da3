"""The image store: streams in, reads by place and id, and what it refuses."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from winnow.images import store
from winnow.images.parallel import map_images
from winnow.images.store import read_images, write_images
from winnow.pipeline.errors import TableError
from winnow.pipeline.tables import write_table


def content(row: int) -> bytes:
    return np.random.default_rng(row).bytes(10 + 37 * row % 900)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of 500 images in many batches."""
    monkeypatch.setattr(store, "BATCH_BYTES", 4000)
    target = tmp_path / "images.arrow"
    with write_images(target) as images:
        for row in range(500):
            images.add(f"n/{row:03}", content(row))
    return target


def test_images_are_read_by_place_and_by_id(path: Path) -> None:
    images = read_images(path)
    assert len(images) == 500
    assert images.ids == [f"n/{row:03}" for row in range(500)]
    assert list(images) == [content(row) for row in range(500)]
    assert images[-1] == content(499)
    assert list(images[100:103]) == [content(100), content(101), content(102)]
    chosen = images.select(["n/400", "n/007", "n/400"])
    assert list(chosen) == [content(400), content(7), content(400)]
    assert chosen.ids == ["n/400", "n/007", "n/400"]
    assert list(chosen[1:]) == [content(7), content(400)]
    assert list(images[10:20].take(np.array([9, 0]))) == [content(19), content(10)]
    assert list(images[10:20].select(["n/012"])) == [content(12)]
    with pytest.raises(IndexError):
        images[500]
    with pytest.raises(TableError, match="1 images are not in the store, the first one n/007"):
        images[10:20].select(["n/012", "n/007"])


def test_the_same_images_are_the_same_bytes_whatever_was_there(path: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.arrow"
    again.write_bytes(b"something older")
    with write_images(again) as images:
        for row in range(500):
            images.add(f"n/{row:03}", content(row))
    assert again.read_bytes() == path.read_bytes()


def test_a_store_is_whole_or_not_there(tmp_path: Path) -> None:
    target = tmp_path / "images.arrow"
    with pytest.raises(TableError, match="two images have the id a"), write_images(target) as images:
        images.add("a", b"1")
        images.add("a", b"2")
    assert list(tmp_path.iterdir()) == []
    with write_images(target):
        pass
    assert list(read_images(target)) == []


def test_what_is_no_store_says_so(tmp_path: Path, path: Path) -> None:
    with pytest.raises(TableError, match="none.arrow does not exist"):
        read_images(tmp_path / "none.arrow")
    cut = tmp_path / "cut.arrow"
    cut.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(TableError, match="not a readable image store"):
        read_images(cut)
    import pyarrow as arrow  # noqa: PLC0415

    other = tmp_path / "other.arrow"
    table = arrow.table({"id": ["a"], "grade": [1]})
    with arrow.OSFile(str(other), "wb") as sink, arrow.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(TableError, match="is not a readable image store: its columns are id, grade"):
        read_images(other)
    assert write_table  # tables and stores share their errors


MEMORY = """
import sys
from pathlib import Path
import numpy as np
from winnow.images.store import read_images, write_images

def anonymous_mib() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024

rng, target = np.random.default_rng(0), Path(sys.argv[1])
def write(count):
    with write_images(target) as images:
        for row in range(count):
            images.add(str(row), rng.bytes(100_000))
        return anonymous_mib()
def read():
    held = 0.0
    images = read_images(target)
    for row in rng.permutation(len(images)):
        assert len(images[int(row)]) == 100_000
        held = max(held, anonymous_mib())
    return held
write(300), read()
few = write(300), read()
many = write(3000), read()
print(*(after - before for before, after in zip(few, many)))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from Linux's /proc")
def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path) -> None:
    """300 MB written and read at random: neither side may hold a tenth of it."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path / "images.arrow")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    written, read = (float(mib) for mib in done.stdout.split())
    assert written < 20
    assert read < 20


MAPPED = """
import sys
from pathlib import Path
from winnow.images.store import read_images, write_images

def mapped_mib() -> float:
    return int(Path("/proc/self/status").read_text().split("RssFile:")[1].split()[0]) / 1024

target = Path(sys.argv[1])
with write_images(target) as images:
    for row in range(1000):
        images.add(str(row), bytes([row % 256]) * 100_000)
images = read_images(target)
before = mapped_mib()
print(max((len(images[row]), mapped_mib() - before)[1] for row in range(1000)))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from Linux's /proc")
def test_what_is_mapped_of_a_store_is_let_go(tmp_path: Path) -> None:
    """100 MB read: limits on a process's memory count what is mapped, too."""
    done = subprocess.run(
        [sys.executable, "-c", MAPPED, str(tmp_path / "images.arrow")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 40


def test_the_map_keeps_the_order_and_takes_few_items_ahead() -> None:
    taken: list[int] = []

    def items() -> "object":
        for number in range(1000):
            taken.append(number)
            yield number

    results = map_images(lambda number: number * 2, items())  # type: ignore[arg-type]
    assert [next(results) for _ in range(3)] == [0, 2, 4]
    assert len(taken) < 900
    assert list(results) == [2 * number for number in range(3, 1000)]
