"""The code digests that DVC depends on: what changes them, what does not, and that they cover what really runs."""

from pathlib import Path

import grimp
import pytest

from tests.conftest import ROOT
from winnow.pipeline import code
from winnow.pipeline.code import import_closure, source_digest

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


def test_the_closure_follows_imports_but_stops_at_params() -> None:
    graph = grimp.ImportGraph()
    for module in ("stages", "stages.a", "stages.a.train", "winnow", "winnow.used", "winnow.deep", "winnow.other"):
        graph.add_module(module)
    for module in ("winnow.domains", "winnow.domains.a", "winnow.domains.a.params", "winnow.settings"):
        graph.add_module(module)
    for importer, imported in (
        ("stages.a.train", "winnow.used"),
        ("winnow.used", "winnow.deep"),
        ("stages.a.train", "winnow.domains.a.params"),
        ("winnow.domains.a.params", "winnow.settings"),
    ):
        graph.add_import(importer=importer, imported=imported)
    assert import_closure(graph, "stages.a.train") == {"stages.a.train", "winnow.used", "winnow.deep"}


def test_only_sources_not_seen_before_are_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    parsed: list[str] = []
    monkeypatch.setattr(code, "source_digest", lambda source: parsed.append(source) or source_digest(source))
    Path("src/winnow").mkdir(parents=True)
    sources = {"a": "x = 1\n", "b": "y = 1\n"}

    def digests() -> dict[str, str]:
        parsed.clear()
        for name, source in sources.items():
            Path("src/winnow", f"{name}.py").write_text(source)
        found = code._module_digests(f"winnow.{name}" for name in sources)
        assert found == {f"winnow.{name}": source_digest(source) for name, source in sources.items()}
        return found

    digests()
    assert parsed == ["x = 1\n", "y = 1\n"]
    digests()
    assert parsed == []
    sources["b"] = "y = 2\n"
    digests()
    assert parsed == ["y = 2\n"]
    sources["b"] = "y = 1\n"  # only what the last call saw is remembered, so that the file does not grow
    digests()
    assert parsed == ["y = 1\n"]
    for damaged in ("{half a fi", "[]"):
        Path(".winnow/digests.json").write_text(damaged)
        digests()
        assert parsed == ["x = 1\n", "y = 1\n"]
    monkeypatch.setattr(code, "__file__", "src/winnow/a.py")  # digests are taken in another way
    digests()
    assert parsed == ["x = 1\n", "y = 1\n"]


def test_the_digest_of_a_module_is_of_the_code_that_its_values_depend_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept features were used again after the code that computes them was edited."""

    def digest(edited: str = "") -> str:
        code.module_digest.cache_clear()
        file = code.PACKAGES["winnow"] / edited
        source = (ROOT / file).read_text() if edited else None
        with monkeypatch.context() as patch:
            patch.setattr(code, "source_digest", lambda text: source_digest(text + "more = 1\n" * (text == source)))
            return code.module_digest("winnow.domains.retina.model.network")

    for own in ("domains/retina/model/network.py", "vision/pooling.py", "vision/lite0.py"):
        assert digest(own) != digest()
    for other in ("domains/documents/model/network.py", "pipeline/errors.py", "vision/heatmaps.py"):
        assert digest(other) == digest()
