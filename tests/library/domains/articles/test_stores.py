"""The store of paid answers on a disk that does not keep what was written."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from winnow.domains.articles.rules.batches import SentBatch
from winnow.domains.articles.rules.stores import FORGOTTEN, AnswerStore

COUNT = 400


def reply(number: int) -> dict[str, Any]:
    return {"text": f"answer {number} " + "x" * 200, "tokens": [number, 2, 3, 4]}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "answers.sqlite"
    store = AnswerStore(path)
    with store.saving():
        for number in range(COUNT):
            store.add(f"key {number}", "me", reply(number))
        store.begin_batch(SentBatch("first", "me", "b-1", {"key 0": 7}))
    store.close()
    return path


def kept(path: Path) -> dict[int, dict[str, Any]]:
    with closing(AnswerStore(path)) as store:
        found = {number: store.of(f"key {number}") for number in range(COUNT)}
        assert {each["text"] for _, each in store.by("me")} == {own[0][1]["text"] for own in found.values() if own}
    return {number: own[0][1] for number, own in found.items() if own}


def test_a_whole_store_gives_what_was_put_in_without_a_word(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert kept(file) == {number: reply(number) for number in range(COUNT)}
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("record", ['{"key 0": 7', '{"key 0": "7"}', "[7]", "", b"\xff\xfe"])
def test_the_requests_of_a_damaged_record_of_a_batch_count_as_maybe_paid(
    file: Path, record: str | bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(AnswerStore(file)) as store:
        store.begin_batch(SentBatch("second", "me", "b-2", {"key 1": 3}), {"key 1": 0.25})
    with closing(sqlite3.connect(file)) as opened:
        opened.execute("UPDATE batches SET prompts = ? WHERE label = 'second'", (record,))
        opened.commit()
    with closing(AnswerStore(file)) as store:
        assert [each.label for each in store.batches("me")] == ["first"]
        assert store.lost == {"key 1": 0.25}
    with closing(AnswerStore(file)) as store:
        assert [each.label for each in store.batches("me")] == ["first"], "told once"
        assert store.lost == {"key 1": 0.25}
    told = capsys.readouterr().err
    assert told.count("the record of the batch b-2 is damaged; its questions count as maybe paid") == 1


@pytest.mark.parametrize("damage", ["cut off", "zeroed in the middle", "no database"])
def test_of_a_damaged_file_what_is_whole_is_kept(file: Path, damage: str, capsys: pytest.CaptureFixture[str]) -> None:
    content = file.read_bytes()
    half = len(content) // 2
    file.write_bytes(
        {
            "cut off": content[:half],
            "zeroed in the middle": content[:half] + bytes(4096 * 3) + content[half + 4096 * 3 :],
            "no database": b"not a database at all" * 500,
        }[damage]
    )
    found = kept(file)
    assert all(each == reply(number) for number, each in found.items()), "nothing that nobody stored"
    assert len(found) >= (0 if damage == "no database" else 0.3 * COUNT)
    assert len(found) < COUNT
    told = capsys.readouterr().err
    assert f"{file} is damaged: {len(found)} answers could be read" in told
    assert file.with_name("answers.sqlite.damaged").exists()
    with closing(AnswerStore(file)) as store, store.saving():
        store.add("key new", "you", reply(0))
    assert kept(file).keys() == found.keys()
    assert capsys.readouterr().err == "", "told once"


def test_an_answer_that_is_not_as_it_was_stored_counts_as_none(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(file)) as opened, opened:
        changed = {"key 3": {**json.loads(stored(opened, "key 3")), "tokens": [99, 2, 3, 4]}, "key 4": "{half"}
        for key, value in changed.items():
            text = value if isinstance(value, str) else json.dumps(value)
            opened.execute("UPDATE replies SET reply = ? WHERE key = ?", (text, key))
    found = kept(file)
    assert found == {number: reply(number) for number in range(COUNT) if number not in {3, 4}}
    assert capsys.readouterr().err.count("a stored answer is damaged") == 2


def test_answers_from_before_digests_stay_paid(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(file)) as opened, opened:
        opened.execute("UPDATE replies SET reply = ? WHERE key = 'key 3'", (json.dumps(reply(3)),))
    assert kept(file)[3] == reply(3)
    assert capsys.readouterr().err == ""


def test_what_was_sent_outlives_damage_too(file: Path) -> None:
    with closing(AnswerStore(file)) as store:
        store.send("key 0", 0.25)
        store.send("key 0", 0.5)
        store.settle(store.send("key 1", 1.0))
    content = file.read_bytes()
    half = len(content) // 2
    file.write_bytes(content[:half] + bytes(4096 * 3) + content[half + 4096 * 3 :])
    for _ in range(2):
        with closing(AnswerStore(file)) as store:
            assert store.lost == {"key 0": 0.75}


def test_another_prompts_answers_are_not_forgotten(file: Path) -> None:
    with closing(AnswerStore(file)) as store:
        store.add("key mine", "you", reply(1))
        assert store.forget("me") == COUNT
        assert [retired for retired, _ in store.of("key mine")] == [0]
        assert [retired for retired, _ in store.of("key 0")] == [FORGOTTEN]


def test_what_a_batch_on_record_may_cost_is_lost_when_it_is_given_up_and_not_before(file: Path) -> None:
    """Whatever became of the file meanwhile."""
    with closing(AnswerStore(file)) as store:
        store.begin_batch(SentBatch("second", "me", "b-2", {"key 0": 7}), {"key 0": 0.25, "key 1": 0.5})
    content = file.read_bytes()
    half = len(content) // 2
    file.write_bytes(content[:half] + bytes(4096 * 3) + content[half + 4096 * 3 :])
    with closing(AnswerStore(file)) as store:
        assert store.lost == {}, "it will be read"
        store.end_batch("second", {"key 0"})
        assert store.lost == {"key 0": 0.25}


@pytest.mark.parametrize("kills_at", ["the damaged file is put aside", "the mended one takes its place"])
def test_a_kill_while_a_damaged_file_is_mended_loses_nothing(
    file: Path, kills_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = file.read_bytes()
    half = len(content) // 2
    file.write_bytes(content[:half] + bytes(4096 * 3) + content[half + 4096 * 3 :])
    spare = file.with_name("spare") / file.name
    spare.parent.mkdir()
    spare.write_bytes(file.read_bytes())
    enough = len(kept(spare))
    turns, replace = iter(range(kills_at.startswith("the mended"))), Path.replace

    def killed(path: Path, target: Path) -> Path:
        if next(turns, None) is None:
            raise KeyboardInterrupt
        return replace(path, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", killed)
        AnswerStore(file)
    assert len(kept(file)) == enough > 0.3 * COUNT
    assert not file.with_name("answers.sqlite.rescued").exists()


def test_the_journal_of_the_damaged_file_is_not_the_mended_ones(file: Path, tmp_path: Path) -> None:
    """After a kill just before the mended one takes its place: SQLite would write the journal's pages into it."""
    file.rename(file.with_name("answers.sqlite.rescued"))
    with closing(AnswerStore(tmp_path / "other.sqlite")) as other:
        other.add("key 0", "you", reply(1))
        file.with_name("answers.sqlite-wal").write_bytes((tmp_path / "other.sqlite-wal").read_bytes())
    assert len(kept(file)) == COUNT


def stored(opened: sqlite3.Connection, key: str) -> str:
    return str(opened.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()[0])
