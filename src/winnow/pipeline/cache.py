"""
A content-addressed store of values that are expensive to make: a key derived from all that a value depends on → a file.

It is in `.winnow/kept/`, which Git ignores and which all experiments of a repository share; removing it costs time and
changes no result.
"""

import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from winnow.pipeline.files import atomic_path
from winnow.pipeline.ledger import state_folder

T = TypeVar("T")

CLAIM = ".claim"
DIGEST_LENGTH = 16


def content_key(parts: Iterable[bytes | str]) -> str:
    """A key made from everything that a value depends on, part by part: 64 hexadecimal digits (SHA-256)."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "big"))  # so that ("ab", "c") and ("a", "bc") differ
        digest.update(content)
    return digest.hexdigest()


class DiskCache:
    """A store of files named by content keys, shared by processes and threads.

    When several need the same missing value at the same time, one claims it and computes it while the others wait. A
    claim is a lock of the operating system: that of a process that died is free at once, and the next one takes over.
    """

    def __init__(self, name: str, max_bytes: int | None = None) -> None:
        self.folder = state_folder() / "kept" / name
        self.max_bytes = max_bytes

    def obtain(self, key: str, make: Callable[[Path], None], read: Callable[[Path], T]) -> T:
        """`read` of the key's file; `make` writes it first, to the path it is given, when the store has none.

        The file's name ends in a digest of what was written, and a file that has changed since is made again, with a
        line on standard error: its values would be wrong without a word. The least recently used values are evicted
        when the store is larger than `max_bytes`, but never the newest one. What `make` and `read` raise is passed on,
        and nothing is stored then.
        """
        with suppress(FileNotFoundError):
            if (path := self._whole(key)) is not None:
                value = read(path)
                with suppress(FileNotFoundError):  # evicted in between
                    os.utime(path)
                return value
        claimed = self.folder / key[:2] / key
        claimed.parent.mkdir(parents=True, exist_ok=True)
        with _claim(claimed):
            path = self._whole(key)
            if path is None:
                for left in [*claimed.parent.glob(f".{key}.*"), claimed]:
                    left.unlink(missing_ok=True)  # of a process that was killed; a running one would hold the claim
                with atomic_path(claimed) as scratch:
                    make(scratch)
                path = claimed.rename(claimed.with_name(f"{key}.{_digest_of(claimed)}"))
            value = read(path)  # while claimed, so that no other process evicts it
        if self.max_bytes is not None:
            self._evict(self.max_bytes, but=path)
        return value

    def _whole(self, key: str) -> Path | None:
        """The key's file, if there is one as it was written; a damaged one is removed."""
        for path in (self.folder / key[:2]).glob(f"{key}.*"):
            if path.suffix == CLAIM:
                continue
            if path.suffix.removeprefix(".") == _digest_of(path):
                return path
            print(f"⚠ {path} is damaged; it is made again", file=sys.stderr)
            path.unlink(missing_ok=True)
        return None

    def _evict(self, max_bytes: int, *, but: Path) -> None:
        found = []
        for file in self.folder.glob("??/*"):
            with suppress(FileNotFoundError):  # another process evicts too
                if file.suffix != CLAIM:
                    found.append((file.stat().st_mtime_ns, file.stat().st_size, file))
        total = sum(size for _, size, _ in found)
        for _, size, file in sorted(found):
            if total <= max_bytes:
                return
            if file != but:
                key = file.name.removeprefix(".").partition(".")[0]
                with suppress(Timeout), _claim(file.with_name(key), wait=False):  # claimed: being made right now
                    file.unlink(missing_ok=True)
                    total -= size


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:DIGEST_LENGTH]


@contextmanager
def _claim(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the claim on a value; raises Timeout at once when another has it and `wait` is false."""
    lock = FileLock(path.with_name(path.name + CLAIM))
    with lock.acquire(blocking=wait):
        try:
            yield
        finally:
            Path(lock.lock_file).unlink(missing_ok=True)  # while held: who waits notices, and locks the next file
