"""A Batch API that does not keep to its protocol: no batch stands in the way, and no paid answer is lost."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.stages.articles_oracle.stub import PRICE, good, open_labeller, settings, some_articles
from tests.stages.oracle_server import OracleServer
from tests.stages.programs import Programs
from winnow.domains.articles.definitions import Definition
from winnow.domains.articles.params import Oracle
from winnow.domains.articles.rules import batches
from winnow.domains.articles.rules.batches import SentBatch
from winnow.domains.articles.rules.oracles import GoneError, OracleError, may_be_lost
from winnow.domains.articles.rules.servers import ServerReply

COUNT = 12
Row = dict[str, Any]


def batched(server: OracleServer, **changes: Any) -> Oracle:
    return settings(server, batch_api={"enabled": True, "max_requests": 100, "poll_interval": 0.01}, **changes)


def rewrite(server: OracleServer, change: Callable[[list[Row]], list[Any]]) -> None:
    """Change the rows of the files in which the server answers; a row that is bytes stands as it is."""
    file = server.batches._file

    def changed(content: bytes, purpose: str) -> Row:
        if purpose == "batch_output":
            rows = change([json.loads(line) for line in content.splitlines()])
            content = b"\n".join(row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows)
        return file(content, purpose)

    server.batches._file = changed  # type: ignore[method-assign]


def broken(row: Row, **changes: Any) -> Row:
    return {**row, **changes}


FAILED = {"response": None, "error": {"code": "e", "message": "broken"}}
ROWS: dict[str, Callable[[list[Row]], list[Any]]] = {
    "unknown ids": lambda rows: [broken(rows[0], custom_id="of nobody"), *rows],
    "ids that are none": lambda rows: [*(broken(rows[0], custom_id=odd) for odd in ([], {}, None, 7)), *rows],
    "no rows": lambda rows: [b"", b"<html>", b"\xff\xfe", b"[" * 10**5, b"7", b"null", *rows],
    "answered and failed": lambda rows: [*rows, *(broken(row, **FAILED) for row in rows)],
    "failed and answered": lambda rows: [*(broken(row, **FAILED) for row in rows), *rows],
    "answered twice": lambda rows: [*rows, *rows],
    "refused and answered": lambda rows: [*(broken(row, response={"status_code": 400}) for row in rows), *rows],
    "in another order": lambda rows: rows[::-1],
}


@pytest.mark.parametrize("kind", ROWS)
def test_every_paid_answer_of_a_file_is_read_whatever_else_is_in_it(
    kind: str, here: Programs, definition: Definition
) -> None:
    articles = some_articles(COUNT)
    with OracleServer(good(definition)) as server:
        rewrite(server, ROWS[kind])
        with open_labeller(definition, batched(server, retries=0), 100.0, 0) as labeller:
            found = labeller.label_all(articles, is_batch=True)
            assert labeller.use.requests == COUNT
            assert labeller.use.cost_usd == pytest.approx(COUNT * PRICE / 2)
        for each, article in zip(found, articles, strict=True):
            assert each.scores == pytest.approx(json.loads(good(definition)(article.content, definition.names)))
        assert server.batches.sizes == [COUNT]


def test_requests_that_a_file_leaves_out_are_asked_again(here: Programs, definition: Definition) -> None:
    with OracleServer(good(definition)) as server:
        rewrite(server, lambda rows: rows[:-3] if len(rows) == COUNT else rows)
        with open_labeller(definition, batched(server), 100.0, 0) as labeller:
            assert all(each.scores for each in labeller.label_all(some_articles(COUNT), is_batch=True))
        assert server.batches.sizes == [COUNT, 3]


@pytest.mark.parametrize("status", ["cancelled", "expired"])
def test_a_batch_that_was_ended_keeps_what_it_answered(status: str, here: Programs, definition: Definition) -> None:
    with OracleServer(good(definition)) as server:
        rewrite(server, lambda rows: rows[:5] if len(rows) == COUNT else rows)
        state = server.batches._state
        server.batches._state = lambda name: broken(  # type: ignore[method-assign]
            found := state(name), status=status if found["status"] == "completed" else found["status"]
        )
        with open_labeller(definition, batched(server), 100.0, 0) as labeller:
            assert all(each.scores for each in labeller.label_all(some_articles(COUNT), is_batch=True))
            assert labeller.use.requests == COUNT
        assert server.batches.sizes == [COUNT, COUNT - 5]


STATES: dict[str, Row] = {
    "counts of text": {"request_counts": {"completed": "many", "failed": None}},
    "no counts": {"request_counts": None},
    "counts that are none": {"request_counts": 7},
    "a file that is no name": {"error_file_id": {"id": 7}},
}


@pytest.mark.parametrize("kind", STATES)
def test_a_state_with_odd_fields_is_read_all_the_same(kind: str, here: Programs, definition: Definition) -> None:
    with OracleServer(good(definition)) as server:
        state = server.batches._state
        server.batches._state = lambda name: broken(state(name), **STATES[kind])  # type: ignore[method-assign]
        with open_labeller(definition, batched(server), 100.0, 0) as labeller:
            assert all(each.scores for each in labeller.label_all(some_articles(COUNT), is_batch=True))


def gave_up(*_: Any) -> None:
    raise OracleError("it waits")


@pytest.mark.parametrize("path", ["/files", "/batches", "/batches/"])
@pytest.mark.parametrize("reply", ["<html>welcome</html>", "[]", "{}", "[[", '{"id": 7, "status": []}'])
def test_a_page_instead_of_a_batch_is_told_and_the_next_run_goes_on(
    path: str, reply: str, here: Programs, definition: Definition
) -> None:
    articles = some_articles(COUNT)
    with OracleServer(good(definition)) as server:
        given = batched(server, retries=0)
        with open_labeller(definition, given, 100.0, 0) as labeller:
            exchange = labeller.oracle.exchange  # type: ignore[attr-defined]

            def odd(method: str, where: str, **content: Any) -> bytes:
                found: bytes = exchange(method, where, **content)
                is_meant = where == path if method == "POST" else where.startswith("/batches/") and path == "/batches/"
                return reply.encode() if is_meant else found

            labeller.oracle.exchange = odd  # type: ignore[attr-defined]
            with pytest.MonkeyPatch.context() as patch, pytest.raises(OracleError):
                patch.setattr(batches, "_wait", gave_up)
                labeller.label_all(articles, is_batch=True)
        with open_labeller(definition, given, 100.0, 0) as labeller:
            assert all(each.scores for each in labeller.label_all(articles, is_batch=True))
        assert server.batches.sizes == [COUNT], "what was sent is read"


def test_neither_a_list_without_end_nor_a_file_without_end_keeps_a_run(
    here: Programs, definition: Definition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MOST_PER_REQUEST", 10)
    monkeypatch.setattr(batches, "TOKEN_BYTES", 0)
    monkeypatch.setattr(batches, "LONGEST_REPLY", 1000)
    with OracleServer(good(definition)) as server:
        given = batched(server, retries=0)
        with open_labeller(definition, given, 100.0, 0) as labeller:
            with pytest.raises(OracleError, match="a reply of more than 1,120 bytes") as caught:
                labeller.label_all(some_articles(COUNT), is_batch=True)
            assert "--retry batches" in caught.value.fix
            labeller.give_up_batches()
            page = {"data": [{"id": "b", "metadata": {}}], "has_more": True}
            looks: list[str] = []
            labeller.oracle.exchange = lambda _, path: looks.append(path) or json.dumps(page).encode()  # type: ignore[attr-defined, func-returns-value]
            with pytest.raises(GoneError, match="not among the last 2000"):
                batches._named(labeller.oracle, "mine", given, labeller.stop)  # type: ignore[arg-type]
            assert len(looks) == batches.PAGES
            sent = SentBatch("mine", labeller.asker, None, {"key": 7})
            unsure = batches.collect(labeller.oracle, sent, given, labeller.stop)  # type: ignore[arg-type]
            assert may_be_lost(unsure["key"]), "it may be on a page that nobody looked at"
        assert looks[1] == "/batches?limit=100&after=b"


def test_a_batch_beyond_the_first_page_is_found(here: Programs, definition: Definition) -> None:
    with OracleServer(good(definition)) as server, open_labeller(definition, batched(server), 1.0, 0) as labeller:
        mine = {"id": "b7", "metadata": {batches.LABEL: "mine"}}
        pages = [{"data": [{"id": "b1"}], "has_more": True}, {"data": [{"id": None}, mine], "has_more": False}]
        labeller.oracle.exchange = lambda *_: json.dumps(pages.pop(0)).encode()  # type: ignore[attr-defined]
        assert batches._named(labeller.oracle, "mine", batched(server), labeller.stop) == "b7"  # type: ignore[arg-type]


def test_a_batch_whose_file_the_server_has_deleted_can_be_given_up(here: Programs, definition: Definition) -> None:
    with OracleServer(good(definition)) as server:
        given = batched(server, retries=0)
        with open_labeller(definition, given, 100.0, 0) as labeller:
            exchange = labeller.oracle.exchange  # type: ignore[attr-defined]

            def deleted(method: str, path: str, **content: Any) -> bytes:
                if path.endswith("/content"):
                    raise labeller.oracle.failure(ServerReply(404, b"no such file"))  # type: ignore[attr-defined]
                found: bytes = exchange(method, path, **content)
                return found

            labeller.oracle.exchange = deleted  # type: ignore[attr-defined]
            with pytest.raises(OracleError, match="is not there: .*no such file") as caught:
                labeller.label_all(some_articles(COUNT), is_batch=True)
        assert "--retry batches" in caught.value.fix
