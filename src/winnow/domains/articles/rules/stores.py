"""The store of paid answers."""

import json
import sqlite3
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from winnow.domains.articles.rules.batches import SentBatch
from winnow.pipeline.cache import content_key

RETIRED, FORGOTTEN = 1, 2
"""Of a stored answer that was asked for again: because it was malformed, or along with all the others."""
DIGEST = "digest"
"""Key of a stored answer under which its digest stands."""


class AnswerStore:
    """All answers to each question, oldest first, and the requests that have none, in an SQLite file; for one thread.

    What a `saving` block has added outlives the process when the block ends, and the machine a second later. Of a file
    that is damaged the answers that are whole are kept, and an answer that is not as it was stored counts as none: a
    line on standard error tells of both.
    """

    def __init__(self, file: Path | None) -> None:
        """`file` of None: in memory."""
        if file is not None:
            _mend(file)
        self._file = sqlite3.connect(file or ":memory:", isolation_level=None)
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=NORMAL")
        _create(self._file)
        self._synced = time.monotonic()
        self._told: set[str] = set()
        self.lost = self._lost()
        """by key: US dollars that requests without an answer may have cost, of runs before this one"""

    def close(self) -> None:
        self._file.close()

    @contextmanager
    def saving(self) -> Iterator[None]:
        """One transaction: all of it or nothing."""
        self._file.execute("BEGIN")
        try:
            yield
            self._file.execute("COMMIT")
        except BaseException:
            if self._file.in_transaction:  # a full disk ends it
                self._file.execute("ROLLBACK")
            raise
        if time.monotonic() > self._synced + 1:  # a wait for the disk, of milliseconds
            self._file.execute("PRAGMA wal_checkpoint(PASSIVE)")
            self._synced = time.monotonic()

    def add(self, key: str, asker: str, reply: Mapping[str, Any]) -> None:
        """`asker` names the prompt and the oracle."""
        whole = {**reply, DIGEST: _digest_of(reply)}
        self._file.execute("INSERT INTO replies VALUES (?, ?, 0, ?)", (key, asker, json.dumps(whole)))

    def of(self, key: str) -> list[tuple[int, dict[str, Any]]]:
        """Each answer to a question, and whether it is `RETIRED` or `FORGOTTEN`: paid, and of no more use; 0 else."""
        rows = self._file.execute("SELECT retired, reply FROM replies WHERE key = ? ORDER BY rowid", (key,))
        found = [(int(retired), self._whole(reply)) for retired, reply in rows]
        return [(retired, reply) for retired, reply in found if reply is not None]

    def by(self, asker: str, *, retired: bool = False) -> Iterator[tuple[int, dict[str, Any]]]:
        """The number of every answer of an oracle to a prompt, and the answer; `retired`: those of no more use, too."""
        most = FORGOTTEN if retired else 0
        rows = self._file.execute("SELECT rowid, reply FROM replies WHERE asker = ? AND retired <= ?", (asker, most))
        found = ((number, self._whole(reply)) for number, reply in rows.fetchall())
        return ((number, reply) for number, reply in found if reply is not None)

    def _whole(self, text: str) -> dict[str, Any] | None:
        """The answer, if it is as it was stored."""
        reply = _intact(text)
        if reply is None and text not in self._told:
            self._told.add(text)
            print("⚠ a stored answer is damaged and does not count; its question is asked again", file=sys.stderr)
        return reply

    def send(self, key: str, usd: float) -> int:
        """Put a request on record that may cost so much; gives its number."""
        return self._file.execute("INSERT INTO sent VALUES (?, NULL, ?)", (key, usd)).lastrowid or 0

    def settle(self, number: int) -> None:
        """Strike a request that is answered, or was not paid."""
        self._file.execute("DELETE FROM sent WHERE rowid = ?", (number,))

    def begin_batch(self, batch: SentBatch, costs: Mapping[str, float] | None = None) -> None:
        """Put a batch on record, with what each of its requests may cost by key; or what is now known of it."""
        row = (batch.label, batch.asker, batch.server_id, json.dumps(dict(batch.prompts)))
        self._file.execute("INSERT OR REPLACE INTO batches VALUES (?, ?, ?, ?)", row)
        rows = [(key, batch.label, usd) for key, usd in (costs or {}).items()]
        self._file.executemany("INSERT INTO sent VALUES (?, ?, ?)", rows)

    def end_batch(self, label: str, unsure: Collection[str] = ()) -> None:
        """Strike a batch whose answers are stored; requests of `unsure` keys have none, and may be paid."""
        self._file.execute("DELETE FROM batches WHERE label = ?", (label,))
        sent = self._file.execute("SELECT rowid, key FROM sent WHERE batch = ?", (label,)).fetchall()
        self._file.executemany("DELETE FROM sent WHERE rowid = ?", [(row,) for row, key in sent if key not in unsure])
        self._file.execute("UPDATE sent SET batch = NULL WHERE batch = ?", (label,))
        self.lost = self._lost()

    def _lost(self) -> dict[str, float]:
        return dict(self._file.execute("SELECT key, sum(usd) FROM sent WHERE batch IS NULL GROUP BY key").fetchall())

    def batches(self, asker: str) -> list[SentBatch]:
        """The batches on record, oldest first; what a damaged record asked counts as maybe paid, and is asked again."""
        rows = self._file.execute("SELECT * FROM batches WHERE asker = ? ORDER BY rowid", (asker,)).fetchall()
        found = []
        for label, of, server_id, text in rows:
            prompts = None
            with suppress(ValueError, TypeError, RecursionError):
                prompts = json.loads(text)
            if isinstance(prompts, dict) and all(isinstance(number, int) for number in prompts.values()):
                found.append(SentBatch(label, of, server_id, prompts))
                continue
            print(
                f"⚠ the record of the batch {server_id or label} is damaged; its questions count as maybe paid and are "
                "asked again",
                file=sys.stderr,
            )
            self._file.execute("UPDATE sent SET batch = NULL WHERE batch = ?", (label,))
            self._file.execute("DELETE FROM batches WHERE label = ?", (label,))
            self.lost = self._lost()
        return found

    def retire(self, numbers: list[int]) -> None:
        self._file.executemany("UPDATE replies SET retired = 1 WHERE rowid = ?", [(number,) for number in numbers])

    def forget(self, asker: str) -> int:
        """Have all answers of an oracle to a prompt count as never given, but for their cost; how many were in use."""
        row = self._file.execute("SELECT count(*) FROM replies WHERE asker = ? AND NOT retired", (asker,)).fetchone()
        self._file.execute("UPDATE replies SET retired = ? WHERE asker = ?", (FORGOTTEN, asker))
        return int(row[0])


def _intact(text: Any) -> dict[str, Any] | None:
    """The answer of a row, if it is as it was stored."""
    with suppress(ValueError, TypeError, AttributeError, RecursionError):
        reply: dict[str, Any] = json.loads(text)
        digest = reply.pop(DIGEST, None)  # None: stored before there were digests
        if digest in {None, _digest_of(reply)}:
            return reply
    return None


def _digest_of(reply: Mapping[str, Any]) -> str:
    return content_key([json.dumps(reply, sort_keys=True)])[:16]


def _create(opened: sqlite3.Connection) -> None:
    opened.execute("CREATE TABLE IF NOT EXISTS replies (key TEXT, asker TEXT, retired INT, reply TEXT)")
    opened.execute("CREATE TABLE IF NOT EXISTS batches (label TEXT PRIMARY KEY, asker, server_id, prompts TEXT)")
    opened.execute("CREATE INDEX IF NOT EXISTS by_key ON replies (key)")
    opened.execute("CREATE TABLE IF NOT EXISTS sent (key TEXT, batch TEXT, usd REAL)")


def _is_whole(file: Path) -> bool:
    """Raises sqlite3.Error when the file cannot be read for another reason than damage, such as a full disk."""
    try:
        with closing(sqlite3.connect(file)) as opened:
            return [row for (row,) in opened.execute("PRAGMA quick_check")] == ["ok"]
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise
        return False


def _mend(file: Path) -> None:
    """Have a damaged file replaced by one of what can be read in it, and put it aside as `<file>.damaged`.

    A kill at any time leaves the one or the other.
    """
    made, aside = file.with_name(f"{file.name}.rescued"), file.with_name(f"{file.name}.damaged")
    if file.exists():
        if _is_whole(file):
            return
        rows = _readable(file)
        made.unlink(missing_ok=True)
        with closing(sqlite3.connect(made)) as opened:
            _create(opened)
            opened.executemany("INSERT INTO replies VALUES (?, ?, ?, ?)", rows["replies"])
            opened.executemany("INSERT INTO batches VALUES (?, ?, ?, ?)", rows["batches"])
            opened.executemany("INSERT INTO sent VALUES (?, ?, ?)", rows["sent"])
            opened.commit()
        file.replace(aside)
        print(
            f"⚠ {file} is damaged: {len(rows['replies'])} answers could be read and are kept, others are asked for "
            f"again; the damaged file is now {aside}",
            file=sys.stderr,
        )
    if made.exists():
        for journal in (file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")):
            journal.unlink(missing_ok=True)
        made.replace(file)


def _readable(file: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of each table that can be read of a damaged file."""
    rows: dict[str, list[tuple[Any, ...]]] = {}
    queries = {
        "replies": "SELECT rowid, key, asker, retired, reply FROM replies ORDER BY rowid",
        "batches": "SELECT rowid, label, asker, server_id, prompts FROM batches ORDER BY rowid",
        "sent": "SELECT rowid, key, batch, usd FROM sent ORDER BY rowid",
    }
    with file.open("r+b") as opened:  # SQLite reads nothing of a file that is shorter than its header says
        header = opened.read(32)
        size = int.from_bytes(header[16:18]) * int.from_bytes(header[28:32])
        if header.startswith(b"SQLite format 3") and size > file.stat().st_size:
            opened.truncate(size)
    for table, query in queries.items():
        found: dict[int, tuple[Any, ...]] = {}
        for order in ("", " DESC"):  # from both ends up to what is damaged
            with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(file)) as connection:
                found.update((number, tuple(row)) for number, *row in connection.execute(query + order))
        rows[table] = [found[number] for number in sorted(found)]
    rows["replies"] = [row for row in rows["replies"] if _intact(row[-1]) is not None]
    return rows
