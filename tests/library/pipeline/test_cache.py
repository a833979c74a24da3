"""The store of kept values: made once, shared, claimed, evicted, and never half there."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from tests.conftest import ROOT
from winnow.pipeline.cache import DiskCache, content_key


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return tmp_path


def writes(content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content) and None


def refuses(path: Path) -> None:
    raise AssertionError(f"{path} is made again")


def files() -> list[Path]:
    return sorted(file for file in Path(".winnow/kept/values").rglob("*") if file.is_file())


def stored() -> list[str]:
    """Names of all files, leftovers included; those of whole values without their digests."""
    return [re.sub(r"^([0-9a-f]{64})\.[0-9a-f]{16}$", r"\1", file.name) for file in files()]


KEYS = [content_key([str(number)]) for number in range(300)]


def test_a_key_depends_on_every_part_and_on_where_parts_end() -> None:
    parts = [["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], ["c", "ab"]]
    assert len({content_key(each) for each in parts}) == len(parts)
    assert content_key(["ab", b"c"]) == content_key([b"ab", "c"])
    assert len(KEYS[0]) == 64


def test_a_value_is_made_once_and_nothing_else_stays() -> None:
    kept = DiskCache("values")
    assert kept.obtain(KEYS[0], writes(b"one"), Path.read_bytes) == b"one"
    assert kept.obtain(KEYS[0], refuses, Path.read_bytes) == b"one"
    assert DiskCache("values").obtain(KEYS[0], refuses, Path.read_bytes) == b"one"
    for number, key in enumerate(KEYS):
        kept.obtain(key, writes(b"%d" % number), Path.read_bytes)
    assert stored() == sorted(KEYS)


@pytest.mark.parametrize("content", [b"onf", b"on", b"", b"one and more"])
def test_a_damaged_value_is_told_and_made_again(content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    kept = DiskCache("values")
    kept.obtain(KEYS[0], writes(b"one"), Path.read_bytes)
    (file,) = files()
    file.write_bytes(content)
    assert kept.obtain(KEYS[0], writes(b"one"), Path.read_bytes) == b"one"
    assert f"{file} is damaged; it is made again" in capsys.readouterr().err
    assert kept.obtain(KEYS[0], refuses, Path.read_bytes) == b"one"
    assert stored() == [KEYS[0]]
    assert capsys.readouterr().err == ""


def test_a_value_whose_maker_was_killed_before_its_digest_is_made_again() -> None:
    kept = DiskCache("values")
    kept.obtain(KEYS[0], writes(b"one"), Path.read_bytes)
    (file,) = files()
    file.rename(file.with_name(KEYS[0])).write_bytes(b"half")
    assert kept.obtain(KEYS[0], writes(b"one"), Path.read_bytes) == b"one"
    assert [each.name for each in files()] == [file.name]


def test_what_fails_stores_nothing_and_may_be_tried_again() -> None:
    def fails(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("no space left on device")

    kept = DiskCache("values")
    with pytest.raises(OSError, match="no space left"):
        kept.obtain(KEYS[0], fails, Path.read_bytes)
    assert [name for name in stored() if not name.endswith(".claim")] == []
    assert kept.obtain(KEYS[0], writes(b"whole"), Path.read_bytes) == b"whole"


def test_a_read_that_fails_is_not_repeated_for_ever() -> None:
    reads = []

    def misses(path: Path) -> bytes:
        reads.append(path)
        assert len(reads) < 5
        raise FileNotFoundError(2, "no such file", "another file")

    with pytest.raises(FileNotFoundError, match="no such file: 'another file'"):
        DiskCache("values").obtain(KEYS[0], writes(b"one"), misses)


def test_the_least_recently_used_go_first_and_the_newest_stays() -> None:
    kept = DiskCache("values", max_bytes=300)
    for number in range(3):
        kept.obtain(KEYS[number], writes(bytes(100)), Path.read_bytes)
        (file,) = (kept.folder / KEYS[number][:2]).glob(f"{KEYS[number]}.*")
        os.utime(file, (number, number))
    kept.obtain(KEYS[0], refuses, Path.read_bytes)  # used: now 1 is the oldest
    kept.obtain(KEYS[3], writes(bytes(100)), Path.read_bytes)
    assert stored() == sorted([KEYS[0], KEYS[2], KEYS[3]])
    kept.obtain(KEYS[4], writes(bytes(1000)), Path.read_bytes)  # larger than all together
    assert stored() == [KEYS[4]]


def test_threads_that_want_the_same_value_make_it_once() -> None:
    made: list[int] = []

    def slow(path: Path) -> None:
        made.append(1)
        time.sleep(0.05)
        path.write_bytes(b"slow")

    read: list[bytes] = []
    threads = [
        Thread(target=lambda: read.append(DiskCache("values").obtain(KEYS[0], slow, Path.read_bytes))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [b"slow"] * 8
    assert len(made) == 1
    assert stored() == [KEYS[0]]


CHILD = """
import os, sys, time
from pathlib import Path
from winnow.pipeline.cache import DiskCache

def make(path):
    with path.open("wb", buffering=0) as file:
        file.write(b"made by")
        print(os.getpid(), flush=True)
        while not Path("go").exists():
            time.sleep(0.01)
        file.write(b" %d" % os.getpid())

print(DiskCache("values").obtain(sys.argv[1], make, Path.read_bytes).decode(), flush=True)
"""


def child() -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen([sys.executable, "-c", CHILD, KEYS[0]], env=environment, stdout=subprocess.PIPE, text=True)


def test_one_process_computes_and_the_others_wait_for_it() -> None:
    children = [child() for _ in range(3)]
    while not (begun := list(Path(".winnow/kept/values").glob("??/.*"))):
        assert any(each.poll() is None for each in children), "all ended before one began"
        time.sleep(0.01)
    assert len(begun) == 1
    time.sleep(0.3)  # the others had time to begin, if they did not wait
    Path("go").touch()
    lines = [each.communicate(timeout=60)[0].split("\n") for each in children]
    makers = [line[0] for line in lines if len(line) == 3]
    assert len(makers) == 1
    assert {line[-2] for line in lines} == {f"made by {makers[0]}"}


def test_the_claim_of_a_killed_process_is_taken_over_and_its_leftovers_go() -> None:
    first = child()
    assert first.stdout is not None
    first.stdout.readline()
    second = child()
    time.sleep(0.3)
    first.send_signal(signal.SIGKILL)
    first.wait()
    Path("go").touch()
    lines = second.communicate(timeout=60)[0].split("\n")
    assert lines[1] == f"made by {second.pid}"
    assert stored() == [KEYS[0]]
    assert DiskCache("values").obtain(KEYS[0], refuses, Path.read_bytes) == f"made by {second.pid}".encode()


def test_what_is_being_made_is_not_evicted() -> None:
    maker = child()
    assert maker.stdout is not None
    maker.stdout.readline()
    DiskCache("values", max_bytes=1).obtain(KEYS[1], writes(b"other"), Path.read_bytes)
    Path("go").touch()
    assert maker.communicate(timeout=60)[0] == f"made by {maker.pid}\n"
