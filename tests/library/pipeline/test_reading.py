"""One boundary around libraries that read files, and what packed files may become."""

import gzip
from pathlib import Path

import pytest

from winnow.pipeline.errors import SourceError, TableError, WinnowError
from winnow.pipeline.reading import UNPACKED_BYTES, UNPACKED_RATIO, open_packed, read_packed, reading

RAISED: tuple[Exception, ...] = (
    ValueError("odd"), KeyError("odd"), IndexError("odd"), OSError(5, "odd"), EOFError("odd"), TypeError("odd"),
    RuntimeError("odd\nand more"), NotImplementedError("odd"), AttributeError("odd"), AssertionError("odd"),
)  # fmt: skip


@pytest.mark.parametrize("raised", RAISED, ids=lambda error: type(error).__name__)
def test_whatever_a_library_raises_is_one_message(raised: Exception) -> None:
    with pytest.raises(TableError, match="^a.csv is no table: .*odd") as caught, \
            reading("a.csv", "is no table", fix="write it again", error=TableError):  # fmt: skip
        raise raised
    assert str(caught.value).splitlines()[1:] == ["  to do: write it again"]


@pytest.mark.parametrize(
    ("raised", "told"), [(MemoryError(), "more memory than there is"), (RecursionError("x"), "nested too deeply")]
)
def test_errors_without_words_are_told_in_words(raised: Exception, told: str) -> None:
    with pytest.raises(SourceError, match=told), reading("a", "is no table", fix="mend it"):
        raise raised


def test_own_errors_and_an_interrupt_pass() -> None:
    with pytest.raises(WinnowError, match="^own$"), reading("a", "is no table", fix="mend it"):
        raise WinnowError("own")
    with pytest.raises(KeyboardInterrupt), reading("a", "is no table", fix="mend it"):
        raise KeyboardInterrupt


def test_a_packed_file_becomes_so_large_and_no_larger(tmp_path: Path) -> None:
    file = tmp_path / "a.gz"
    file.write_bytes(gzip.compress(bytes(UNPACKED_BYTES)))
    assert read_packed(file, fix="mend it") == bytes(UNPACKED_BYTES)
    file.write_bytes(gzip.compress(bytes(UNPACKED_BYTES + 1)))
    with pytest.raises(SourceError, match=rf"a.gz cannot be read: more than {UNPACKED_BYTES:,} bytes"):
        read_packed(file, fix="mend it")
    text = b"".join(b"%d\n" % number for number in range(300_000)) * 40  # real text, packed well
    file.write_bytes(gzip.compress(text))
    assert len(text) < UNPACKED_RATIO * file.stat().st_size
    assert len(text) > UNPACKED_BYTES
    assert read_packed(file, fix="mend it") == text


def test_damage_is_found_wherever_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.gz"
    whole = gzip.compress(b"".join(b"%d\n" % number for number in range(100_000)))
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match="a.gz cannot be read: Compressed file ended"), \
            open_packed(file, fix="copy it again") as (lines, _):  # fmt: skip
        assert sum(1 for _ in lines) < 100_000


def test_an_error_of_ours_while_a_file_is_open_is_not_the_files(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"x")
    with pytest.raises(ZeroDivisionError), open_packed(file, fix="copy it again"):
        print(1 // 0)


def test_a_device_without_an_end_is_left(tmp_path: Path) -> None:
    link = tmp_path / "endless"
    link.symlink_to("/dev/zero")
    with pytest.raises(SourceError, match="endless cannot be read: more than"):
        read_packed(link, fix="name a file")
