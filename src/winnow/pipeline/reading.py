"""The boundary around libraries that read files: whatever they raise is one message with the file and the remedy.

What a library says of damaged bytes depends on the bytes: pandas, Pillow, zipfile and the like raise anything from
IndexError to MemoryError. A list of exceptions at each place is never complete.
"""

import gzip
import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from winnow.pipeline.errors import SourceError, WinnowError
from winnow.pipeline.text import shown

if TYPE_CHECKING:
    from typing_extensions import Buffer

UNPACKED_BYTES = 32 * 2**20
UNPACKED_RATIO = 50
"""A gzip file is read up to UNPACKED_BYTES, or UNPACKED_RATIO times its size: texts shrink to a third or a tenth, a
bomb to a thousandth."""
LONGEST_REASON = 300
UNREADABLE = "cannot be read"


@contextmanager
def reading(
    path: Path | str, what: str, *, fix: str, where: str = "", error: type[WinnowError] = SourceError
) -> Iterator[None]:
    """Raise `error`, naming the file, for whatever but WinnowError is raised in the block that reads it.

    `what` is wrong follows the file's name, such as `is no CSV file`. Only calls of the library that reads belong into
    the block: an error of ours would count as the file's.
    """
    try:
        yield
    except WinnowError:
        raise
    except Exception as found:
        other = getattr(found, "filename", None)
        of = f" ({other})" if other and str(other) != str(path) else ""
        raise error(f"{path} {what}: {reason(found)}{of}", where=where, fix=fix) from None


def reason(error: Exception) -> str:
    """Why a library failed, as one line."""
    said = " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        said = error.strerror
    elif isinstance(error, MemoryError):
        said = "it needs more memory than there is"
    elif isinstance(error, RecursionError):
        said = "it is nested too deeply"
    elif isinstance(error, KeyError):
        said = f"no {said}"
    return shown(said or type(error).__name__, LONGEST_REASON)


@contextmanager
def open_packed(path: Path, *, fix: str) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """A file's bytes, unpacked where its name ends in .gz, and the file itself, whose position tells the progress.

    Whatever goes wrong is a SourceError, see `reading`, and a bomb: more comes out of it, or of a device, than
    can be of a text that was packed.
    """
    with ExitStack() as opened:
        with reading(path, UNREADABLE, fix=fix):
            raw = opened.enter_context(path.open("rb"))
            about = os.fstat(raw.fileno())
            packed = opened.enter_context(gzip.open(raw)) if path.suffix == ".gz" else None
        is_endless = stat.S_ISCHR(about.st_mode) or stat.S_ISBLK(about.st_mode)
        limit = max(UNPACKED_BYTES, UNPACKED_RATIO * about.st_size) if packed or is_endless else None
        yield io.BufferedReader(_Guarded(packed or raw, limit, partial(reading, path, UNREADABLE, fix=fix))), raw


def read_packed(path: Path, *, fix: str) -> bytes:
    """All bytes of a file, as `open_packed` reads it."""
    with open_packed(path, fix=fix) as (file, _):
        return file.read()


class Readable(Protocol):
    """What a file and a gzip file have in common."""

    def read(self, size: int, /) -> bytes: ...


class _Guarded(io.RawIOBase):
    """A stream of which at most `limit` bytes are read, and each read is within `guard`."""

    def __init__(self, stream: Readable, limit: int | None, guard: Callable[[], AbstractContextManager[None]]) -> None:
        self._stream, self._limit, self._guard, self._read = stream, limit, guard, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        view = memoryview(buffer)
        with self._guard():
            found = self._stream.read(len(view))
            self._read += len(found)
            if self._limit is not None and self._read > self._limit:
                raise ValueError(f"more than {self._limit:,} bytes come out of it, the most for a file of its size")
        view[: len(found)] = found
        return len(found)
