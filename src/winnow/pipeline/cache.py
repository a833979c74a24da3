"""
A content-addressed store of values that are expensive to make: a key derived from all that a value depends on → a file.

`DiskCache` holds files, such as the features of frozen networks (minutes of computing); `KeptAnswers` many short texts,
such as the answers of a paid service, in one SQLite file. Both are in `.winnow/kept/`, which Git ignores and which all
experiments of a repository share; removing it costs time (or money) and changes no result.
"""

import hashlib
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from filelock import FileLock, Timeout

from winnow.pipeline.files import atomic_path
from winnow.pipeline.ledger import state_folder

T = TypeVar("T")

CLAIM = ".claim"


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

        The least recently used values are evicted when the store is larger than `max_bytes`, but never the newest one.
        What `make` and `read` raise is passed on, and nothing is stored then.
        """
        path = self.folder / key[:2] / key
        with suppress(FileNotFoundError):
            value = read(path)
            with suppress(FileNotFoundError):  # evicted in between
                os.utime(path)
            return value
        path.parent.mkdir(parents=True, exist_ok=True)
        with _claim(path):
            if not path.exists():
                for left in path.parent.glob(f".{key}.*"):
                    left.unlink()  # of a process that was killed; a running one would hold the claim
                with atomic_path(path) as scratch:
                    make(scratch)
            value = read(path)  # while claimed, so that no other process evicts it
        if self.max_bytes is not None:
            self._evict(self.max_bytes, but=path)
        return value

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


@contextmanager
def _claim(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the claim on a value; raises Timeout at once when another has it and `wait` is false."""
    lock = FileLock(path.with_name(path.name + CLAIM))
    with lock.acquire(blocking=wait):
        yield
        Path(lock.lock_file).unlink(missing_ok=True)  # while held: waiting processes notice, and lock the next file


class KeptAnswers:
    """Answers by content key, in an SQLite file in WAL mode, shared by threads and processes.

    A row is claimed before its answer is asked for and completed as soon as the answer is there, in a transaction: a
    process killed at any moment loses no answer that `obtain` has returned. `flush` puts it on the disk, where it also
    outlives the machine; a flush takes milliseconds, and one serves all threads that wait for it.
    A claim belongs to an owner, which holds a lock of the operating system while it lives; claims of a dead owner are
    taken over. Use it as a context manager.
    """

    WAIT = 0.02
    """Seconds between two looks at an answer that someone else is asking for."""

    def __init__(self, name: str) -> None:
        self.folder = state_folder() / "kept" / name
        (self.folder / "owners").mkdir(parents=True, exist_ok=True)
        self.owner = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._alive = FileLock(self._lock_of(self.owner), thread_local=False)
        self._alive.acquire()
        self._guard = threading.Lock()
        self._file = sqlite3.connect(
            self.folder / "answers.sqlite", timeout=60, isolation_level=None, check_same_thread=False
        )
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute(
            "PRAGMA synchronous=NORMAL"
        )  # what is committed is in the log, which `flush` puts on the disk
        self._file.execute(
            "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, owner TEXT NOT NULL, answer TEXT) WITHOUT ROWID"
        )
        self._log = os.open(self.folder / "answers.sqlite-wal", os.O_RDONLY)
        self._disk = threading.Lock()
        self._committed = self._flushed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.flush()
        os.close(self._log)
        self._file.close()
        Path(self._alive.lock_file).unlink(missing_ok=True)
        self._alive.release()

    def find(self, key: str) -> str | None:
        """The stored answer, None when there is none (yet)."""
        rows = self._run("SELECT answer FROM answers WHERE key = ?", key).fetchall()
        return rows[0][0] if rows else None

    def obtain(self, key: str, ask: Callable[[], str]) -> str:
        """The stored answer, else `ask()`, which is stored. What `ask` raises is passed on, and the claim is given up.

        Waits while another thread or process is asking for the same.
        """
        while not self._claim(key):
            answer = self.find(key)
            if answer is not None:
                return answer
            time.sleep(self.WAIT)
        try:
            answer = ask()
        except BaseException:
            self._run("DELETE FROM answers WHERE key = ? AND answer IS NULL", key)
            raise
        self._run("UPDATE answers SET answer = ? WHERE key = ?", answer, key)
        return answer

    def flush(self) -> None:
        """Return when all that was stored before the call is on the disk."""
        mine = self._committed
        with self._disk:
            if self._flushed < mine:
                upto = self._committed
                os.fsync(self._log)
                self._flushed = upto

    def _claim(self, key: str) -> bool:
        """Whether this call may ask: the key was neither answered nor claimed, or its claim's owner is dead."""
        if self._run("INSERT OR IGNORE INTO answers VALUES (?, ?, NULL)", key, self.owner).rowcount:
            return True
        rows = self._run("SELECT owner FROM answers WHERE key = ? AND answer IS NULL", key).fetchall()
        if not rows or self._is_alive(rows[0][0]):
            return False
        taken = "UPDATE answers SET owner = ? WHERE key = ? AND owner = ? AND answer IS NULL"
        return self._run(taken, self.owner, key, rows[0][0]).rowcount == 1

    def _run(self, statement: str, *values: str) -> sqlite3.Cursor:
        with self._guard:
            done = self._file.execute(statement, values)
            self._committed += done.rowcount > 0
            return done

    def _lock_of(self, owner: str) -> Path:
        return self.folder / "owners" / f"{owner}.lock"

    def _is_alive(self, owner: str) -> bool:
        if owner == self.owner:
            return True
        path = self._lock_of(owner)
        if not path.exists():
            return False
        lock = FileLock(path)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return True
        path.unlink(missing_ok=True)
        lock.release()
        return False
