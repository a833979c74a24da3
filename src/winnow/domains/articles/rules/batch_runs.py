"""One pass of an oracle over articles through the Batch API."""

import math
from collections.abc import Iterator
from typing import cast

from winnow.domains.articles.rules.batches import LARGEST_FILE, BatchOracle, batch_line, collect, new_batch, send
from winnow.domains.articles.rules.oracles import NoAnswer
from winnow.domains.articles.rules.runs import Run, Task


class BatchRun(Run):
    """Through the Batch API: as many requests at a time as it takes and the cap covers, at a lower price."""

    def _patience(self, error: NoAnswer) -> float:
        """A server that ends a batch is there; what failed in one stands together in the next."""
        del error
        return math.inf

    def _ask_all(self, tasks: Iterator[Task]) -> None:
        labeller, oracle = self.labeller, cast("BatchOracle", self.labeller.oracle)
        labeller.collect()
        while True:
            chunk: dict[str, Task] = {}
            self.under_way = chunk
            lines, size = [], 0
            while len(chunk) < self.settings.batch_api.max_requests and size < LARGEST_FILE:
                if (task := self._next(tasks)) is None:
                    break
                chunk[task.key] = task
                lines.append(batch_line(oracle, task.key, task.asked))
                size += len(lines[-1])
            if not chunk:
                return
            try:
                asked = {key: task.asked for key, task in chunk.items()}
                costs = {key: task.reserved for key, task in chunk.items()}
                made = new_batch(labeller.asker, asked)
                batch = send(oracle, made, lines, costs, labeller.kept, labeller.stop)
                found = collect(oracle, batch, self.settings, labeller.stop)
            except BaseException:  # what is sent is on record: the next run reads it
                labeller.reserved = 0.0
                chunk.clear()
                raise
            with labeller.kept.saving():
                labeller.store_batch(batch, found)
                for key in list(chunk):
                    missing = NoAnswer("the batch ended without an answer to this request")
                    self._settle(chunk.pop(key), found.get(key, missing))
