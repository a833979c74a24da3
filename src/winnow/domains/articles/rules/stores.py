"""The store of paid answers."""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from winnow.domains.articles.rules.batches import SentBatch


class AnswerStore:
    """All answers to each question, oldest first, in an SQLite file; for one thread.

    What a `saving` block has added outlives the process when the block ends, and the machine a second later.
    """

    def __init__(self, file: Path | None) -> None:
        """`file` of None: in memory."""
        self._file = sqlite3.connect(file or ":memory:", isolation_level=None)
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=NORMAL")
        self._file.execute("CREATE TABLE IF NOT EXISTS replies (key TEXT, asker TEXT, retired INT, reply TEXT)")
        self._synced = time.monotonic()
        self._file.execute(
            "CREATE TABLE IF NOT EXISTS batches (label TEXT PRIMARY KEY, asker, server_id, prompts TEXT)"
        )
        self._file.execute("CREATE INDEX IF NOT EXISTS by_key ON replies (key)")

    def close(self) -> None:
        self._file.close()

    @contextmanager
    def saving(self) -> Iterator[None]:
        """One transaction."""
        self._file.execute("BEGIN")
        try:
            yield
        finally:
            self._file.execute("COMMIT")
        if time.monotonic() > self._synced + 1:  # a wait for the disk, of milliseconds
            self._file.execute("PRAGMA wal_checkpoint(PASSIVE)")
            self._synced = time.monotonic()

    def add(self, key: str, asker: str, reply: Mapping[str, Any]) -> None:
        """`asker` names the prompt and the oracle."""
        self._file.execute("INSERT INTO replies VALUES (?, ?, 0, ?)", (key, asker, json.dumps(reply)))

    def of(self, key: str) -> list[tuple[bool, dict[str, Any]]]:
        """Each answer to a question, and whether it is retired: paid, and of no more use."""
        rows = self._file.execute("SELECT retired, reply FROM replies WHERE key = ? ORDER BY rowid", (key,))
        return [(bool(retired), json.loads(reply)) for retired, reply in rows]

    def by(self, asker: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """The number of every answer of an oracle to a prompt that is not retired, and the answer."""
        rows = self._file.execute("SELECT rowid, reply FROM replies WHERE asker = ? AND NOT retired", (asker,))
        return ((number, json.loads(reply)) for number, reply in rows.fetchall())

    def begin_batch(self, batch: SentBatch) -> None:
        """Put a batch on record, or what is now known of it."""
        row = (batch.label, batch.asker, batch.server_id, json.dumps(dict(batch.prompts)))
        self._file.execute("INSERT OR REPLACE INTO batches VALUES (?, ?, ?, ?)", row)

    def end_batch(self, label: str) -> None:
        """Strike a batch whose answers are stored."""
        self._file.execute("DELETE FROM batches WHERE label = ?", (label,))

    def batches(self, asker: str) -> list[SentBatch]:
        """The batches on record, oldest first."""
        rows = self._file.execute("SELECT * FROM batches WHERE asker = ? ORDER BY rowid", (asker,)).fetchall()
        return [SentBatch(label, of, server_id, json.loads(prompts)) for label, of, server_id, prompts in rows]

    def retire(self, numbers: list[int]) -> None:
        self._file.executemany("UPDATE replies SET retired = 1 WHERE rowid = ?", [(number,) for number in numbers])
