"""The store of paid answers, and an oracle with it: what the label stage and the command line open."""

import json
import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from winnow.domains.articles.definitions import Definition
from winnow.domains.articles.params import Label
from winnow.domains.articles.rules.batches import SentBatch
from winnow.domains.articles.rules.labelling import Labeller
from winnow.domains.articles.rules.oracles import make_oracle
from winnow.learn.interrupt import stop_request
from winnow.pipeline.ledger import state_folder


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


@contextmanager
def open_labeller(definition: Definition, params: Label, seed: int) -> Iterator[Labeller]:
    """A labeller, which Ctrl+C and SIGTERM stop when what is under way is answered and stored.

    The store is locked: another process waits. Answers of `rules` cost nothing and are not kept.
    """
    oracle = make_oracle(params.oracle, definition, seed)
    if params.oracle.provider == "rules":
        with stop_request() as stop:
            yield Labeller(oracle, AnswerStore(None), definition, params, stop)
        return
    folder = state_folder() / "kept" / "articles"
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "answers.lock"), stop_request() as stop:
        store = AnswerStore(folder / "answers.sqlite")
        try:
            yield Labeller(oracle, store, definition, params, stop)
        finally:
            store.close()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """The operating system frees the lock of a process that died."""
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print("another process is asking the oracle; waiting until it is done …", file=sys.stderr, flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
