"""Digests of sources: what changes them, what does not, and what a program does when its code is another."""

from pathlib import Path

import pytest

from winnow.pipeline import digests
from winnow.pipeline.digests import check_code_unchanged, module_digests, source_digest
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import write_json

SOURCE = '''\
"""A module."""

import math

NAME = "# no comment"  # a comment


class Options(Section):
    """What can be set."""

    size: int = Field(ge=1, description="pixels"  "per side")
    """of the picture"""
    name: str = Field(pattern="a,,b", description="a file")


TEMPLATE = """first

last"""


def area(size: int) -> float:
    """The area of a circle of a size in «pixels»."""
    # halved first
    return math.pi * (size / 2) ** 2
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""A module."""', '"""Circles and\n\nother shapes."""'),
        ('"""A module."""\n', ""),
        ("  # a comment", ""),
        ("    # halved first\n", "    # halved, # then squared\n\n\n"),
        ("«pixels»", "«пикселях», whatever they are"),
        ('"pixels"  "per side"', '(\n        "dots"\n        "per side")'),
        ('    """of the picture"""\n', ""),
        ("\n\n\ndef", "\ndef"),
        ("math.pi * (size / 2) ** 2", "math.pi * (size / 2) ** 2  # exactly"),
    ],
)
def test_words_for_people_do_not_count(old: str, new: str) -> None:
    assert old in SOURCE
    assert source_digest(SOURCE.replace(old, new)) == source_digest(SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("size / 2", "size / 3"),
        ("# no comment", "# a comment"),
        ("ge=1", "ge=2"),
        ("size: int = ", "size: float = "),
        ("import math", "import cmath as math"),
        ("first\n\nlast", "first\nlast"),
        ("first\n", "first \n"),
        ("a,,b", "a,b"),
        ("    return", "    if size:\n        return"),
    ],
)
def test_everything_else_counts(old: str, new: str) -> None:
    assert old in SOURCE
    assert source_digest(SOURCE.replace(old, new)) != source_digest(SOURCE)


def test_where_a_block_ends_counts() -> None:
    """The same words in the same order, of which the last line runs always, or only where `a` holds."""
    inside, outside = "if a:\n    b()\n    c()\n", "if a:\n    b()\nc()\n"
    assert source_digest(inside) != source_digest(outside)
    nested = "for a in b:\n    if a:\n        c()\n    d()\n"
    assert source_digest(nested) != source_digest(nested.replace("    d()", "        d()"))
    assert source_digest(inside.replace("    ", "\t")) == source_digest(inside), "however wide it is"


def test_only_sources_not_seen_before_are_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    parsed: list[str] = []
    monkeypatch.setattr(digests, "source_digest", lambda source: parsed.append(source) or source_digest(source))
    Path("src/winnow").mkdir(parents=True)
    sources = {"a": "x = 1\n", "b": "y = 1\n"}

    def digested() -> dict[str, str]:
        parsed.clear()
        for name, source in sources.items():
            Path("src/winnow", f"{name}.py").write_text(source)
        found = module_digests([f"winnow.{name}" for name in sources], remember=True)
        assert found == {f"winnow.{name}": source_digest(source) for name, source in sources.items()}
        return found

    digested()
    assert parsed == ["x = 1\n", "y = 1\n"]
    digested()
    assert parsed == []
    sources["b"] = "y = 2\n"
    digested()
    assert parsed == ["y = 2\n"]
    sources["b"] = "y = 1\n"  # only what the last call saw is remembered, so that the file does not grow
    digested()
    assert parsed == ["y = 1\n"]
    for damaged in ("{half a fi", "[]"):
        Path(".winnow/digests.json").write_text(damaged)
        digested()
        assert parsed == ["x = 1\n", "y = 1\n"]
    monkeypatch.setattr(digests, "__file__", "src/winnow/a.py")  # digests are taken in another way
    digested()
    assert parsed == ["x = 1\n", "y = 1\n"]


def test_a_program_whose_code_was_edited_after_check_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    files = {module: Path("src/winnow", f"{module[7:]}.py") for module in ("winnow.a", "winnow.b")}
    for file in files.values():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x = 1\n")
    write_json(Path("data/code/climb/train.json"), module_digests(files, remember=True))
    files["winnow.b"].write_text("# a comment changes nothing\nx = 1\n")
    check_code_unchanged("climb", "train")
    for edit in ("x = 2\n", "x = \n", None):
        files["winnow.b"].unlink() if edit is None else files["winnow.b"].write_text(edit)
        with pytest.raises(WinnowError, match=r"the code of train@climb was changed after .* recorded it: winnow\.b\n"):
            check_code_unchanged("climb", "train")


def test_remembered_digests_that_were_changed_are_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value of the right form would hide a change of code for ever."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("winnow.pipeline.digests.PACKAGES", {"winnow": Path("src")})
    Path("src").mkdir()
    Path("src/a.py").write_text("x = 1\n")
    true = module_digests(["winnow.a"], remember=True)
    memory = Path(".winnow/digests.json")
    assert true["winnow.a"] in memory.read_text()
    memory.write_text(memory.read_text().replace(true["winnow.a"], "0" * 16))
    assert module_digests(["winnow.a"]) == true
