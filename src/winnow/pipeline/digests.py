"""Digests of source code: what `check` records for every program, and what a program compares when it starts."""

import ast
import hashlib
import io
import tokenize
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import read_json, write_json
from winnow.pipeline.ledger import state_folder

FOLDER = Path("data/code")
PACKAGES = {"winnow": Path("src/winnow"), "stages": Path("stages")}
DIGEST_LENGTH = 16

Range = tuple[tuple[int, int], tuple[int, int]]
"""(line, column) of the first character and of the one after the last; lines from 1, columns in characters from 0"""


def check_code_unchanged(domain: str, stage: str) -> None:
    """Raise WinnowError when a module of the program is not the one that `check` recorded.

    DVC would write the recorded digests to dvc.lock beside what other code made. To be called when the program has
    imported its modules: what is edited later, it does not run.
    """
    recorded = read_json(FOLDER / domain / f"{stage}.json")
    found = module_digests(recorded)
    changed = sorted(module for module in recorded if found[module] != recorded[module])
    if changed:
        raise WinnowError(
            f"the code of {stage}@{domain} was changed after `check` recorded it: {', '.join(changed)}",
            fix="run `dvc repro` again",
        )


def module_digests(modules: Iterable[str], *, remember: bool = False) -> dict[str, str]:
    """The digest of every module's source; a file that is gone counts as an empty one.

    Those of the sources of the last call with `remember` come from a file in `.winnow/`, and are not computed again.
    """
    memory = state_folder() / "digests.json"
    try:
        known = read_json(memory)
    except (OSError, WinnowError):  # none yet, or damaged: parsing everything anew takes half a second
        known = {}
    own = Path(__file__).read_bytes()  # what the digests depend on besides the sources
    keys, digests = {}, {}
    for module in modules:
        file = _file_of(module)
        source = file.read_text(encoding="utf-8") if file.exists() else ""
        keys[module] = hashlib.sha256(own + source.encode()).hexdigest()
        digests[module] = known.get(keys[module]) or source_digest(source)
    if remember and set(keys.values()) != set(known):
        with suppress(OSError):
            write_json(memory, {keys[module]: digest for module, digest in digests.items()})
    return digests


def source_digest(source: str) -> str:
    """A digest of Python source without its comments, docstrings, blank lines and `Field` descriptions.

    Ranges of the text are cut out by position; an AST dump would differ between Python versions. Of text that is not
    valid Python everything counts.
    """
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:
        nodes = []
    cuts = _cuts(source, nodes)
    lines = source.split("\n")  # as Python counts lines; `splitlines` also splits at form feeds
    inside = _lines_inside_strings(nodes, cuts)
    for ((first, start), (last, end)), replacement in sorted(cuts.items(), reverse=True):
        joined = lines[first - 1][:start] + replacement + lines[last - 1][end:]
        lines[first - 1 : last] = [joined, *[""] * (last - first)]
    numbered = enumerate(lines, start=1)
    kept = "\n".join(
        line if number in inside else line.rstrip() for number, line in numbered if line.strip() or number in inside
    )
    return hashlib.sha256(kept.encode()).hexdigest()[:DIGEST_LENGTH]


def _lines_inside_strings(nodes: Iterable[ast.AST], cuts: Iterable[Range]) -> set[int]:
    """Lines whose end is part of a string that is not cut out: white space there is part of a value."""
    removed = [(first, last) for (first, _), (last, _) in cuts]
    inside: set[int] = set()
    for node in nodes:
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)):
            first, last = node.lineno, node.end_lineno or node.lineno
            if not any(start <= first and last <= end for start, end in removed):
                inside.update(range(first, last))
    return inside


def _cuts(source: str, nodes: Iterable[ast.AST]) -> dict[Range, str]:
    """Ranges to replace, none inside another, and by what."""
    encoded = [line.encode() for line in source.split("\n")]  # ast counts columns in bytes
    fields = {
        _range(node, encoded): _without_description(node, encoded)
        for node in nodes
        if isinstance(node, ast.Call) and any(_is_description(node, keyword) for keyword in node.keywords)
    }
    strings = [node.value for node in nodes if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)]
    removed = [_range(node, encoded) for node in strings if isinstance(node.value, str)]
    if "#" in source:  # tokenizing takes longer than all the rest
        removed += [(token.start, token.end) for token in _tokens(source) if token.type == tokenize.COMMENT]
    outside = (each for each in removed if not any(start <= each[0] < end for start, end in fields))
    return fields | dict.fromkeys(outside, "")


def _without_description(call: ast.Call, encoded: list[bytes]) -> str:
    """A `Field(…)` call without its description, its tokens one blank apart: its line breaks follow the description."""
    text = _segment(call, encoded)
    for keyword in call.keywords:
        if _is_description(call, keyword):
            text = text.replace(_segment(keyword, encoded), "", 1)
    parts = [token.string for token in _tokens(text) if token.type != tokenize.COMMENT and token.string.strip()]
    ends = zip(["", *parts], parts, [*parts[1:], ""], strict=False)
    return " ".join(part for before, part, after in ends if part != "," or (before not in "(," and after != ")"))


def _segment(node: ast.expr | ast.keyword, encoded: list[bytes]) -> str:
    """The source of a node (`ast.get_source_segment` splits the whole source at every call)."""
    assert node.end_lineno is not None
    lines = encoded[node.lineno - 1 : node.end_lineno]
    lines[-1] = lines[-1][: node.end_col_offset]
    lines[0] = lines[0][node.col_offset :]
    return b"\n".join(lines).decode()


def _is_description(call: ast.Call, keyword: ast.keyword) -> bool:
    """Whether the keyword is the description of pydantic's `Field(…)` or pandera's `pa.Field(…)`."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", None)
    return name == "Field" and keyword.arg == "description"


def _tokens(source: str) -> Iterator[tokenize.TokenInfo]:
    return tokenize.generate_tokens(io.StringIO(source).readline)


def _range(node: ast.expr, encoded: list[bytes]) -> Range:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    start = len(encoded[node.lineno - 1][: node.col_offset].decode())
    end = len(encoded[node.end_lineno - 1][: node.end_col_offset].decode())
    return (node.lineno, start), (node.end_lineno, end)


def _file_of(module: str) -> Path:
    package, *names = module.split(".")
    path = PACKAGES[package].joinpath(*names)
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
