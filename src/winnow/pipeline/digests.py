"""Digests of source code: what `check` records for every program, and what a program compares when it starts."""

import hashlib
import io
import tokenize
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import as_json, read_json, write_json
from winnow.pipeline.ledger import state_folder

FOLDER = Path("data/code")
PACKAGES = {"winnow": Path("src/winnow"), "stages": Path("stages")}
DIGEST_LENGTH = 16
WHOLE = "digest"
"""Key of the digest of all others in the file of known digests: a changed one would hide a change of code."""

LAYOUT = {"NEWLINE": "\n", "INDENT": ">\n", "DEDENT": "<\n"}
"""What stands for the tokens that end statements and blocks; their own texts depend on the version of Python."""


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
    """The digest of every module's source, and of every other file in full; one that is gone counts as an empty one.

    Those of the sources of the last call with `remember` come from a file in `.winnow/`, and are not computed again.
    """
    memory = state_folder() / "digests.json"
    try:
        known = read_json(memory)
    except (OSError, WinnowError):  # none yet, or damaged: reading everything anew takes a second
        known = {}
    if known.pop(WHOLE, None) != _digest_of(known):
        known = {}
    own = Path(__file__).read_bytes()  # what the digests depend on besides the sources
    keys, digests = {}, {}
    for module in modules:
        file = _file_of(module)
        if file.suffix != ".py":
            content = file.read_bytes() if file.exists() else b""
            digests[module] = hashlib.sha256(content).hexdigest()[:DIGEST_LENGTH]
            continue
        source = file.read_text(encoding="utf-8") if file.exists() else ""
        keys[module] = hashlib.sha256(own + source.encode()).hexdigest()
        digests[module] = known.get(keys[module]) or source_digest(source)
    if remember and set(keys.values()) != set(known):
        with suppress(OSError):
            found = {key: digests[module] for module, key in keys.items()}
            write_json(memory, {**found, WHOLE: _digest_of(found)})
    return digests


def _digest_of(known: Mapping[str, Any]) -> str:
    return hashlib.sha256(as_json(known).encode()).hexdigest()


def source_digest(source: str) -> str:
    """A digest of Python source without its comments, docstrings, layout and `Field` descriptions.

    It is of the tokens, which are the same in all versions of Python; an AST dump would differ. Of text that is not
    valid Python everything counts.
    """
    try:
        text = "\0".join(_without_words([*_tokens(source)]))
    except (tokenize.TokenError, SyntaxError):
        text = source
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


def _tokens(source: str) -> Iterator[str]:
    """The tokens' texts, without comments and line breaks within a statement; an f-string is one token."""
    lines = source.split("\n")  # as Python counts lines; `splitlines` also splits at form feeds
    opened: list[tuple[int, int]] = []  # where f-strings around a token begin: Python 3.12 and later cut them up
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        name = tokenize.tok_name[token.type]
        if name == "FSTRING_START":
            opened.append(token.start)
        elif name == "FSTRING_END":
            (first, start), (last, end) = opened.pop(), token.end
            if not opened:
                text = "\n".join([*lines[first - 1 : last - 1], lines[last - 1][:end]])
                yield text[start:]
        elif not opened and name not in {"COMMENT", "NL", "ENDMARKER"}:
            yield LAYOUT.get(name, token.string)


def _without_words(tokens: Sequence[str]) -> list[str]:
    """Tokens without docstrings, and without the descriptions in calls of pydantic's and pandera's `Field`."""
    kept: list[str] = ["\n"]
    brackets: list[bool] = []  # those around a text, and whether each is of a call of `Field`
    skipped, comma = 0, False  # brackets around the description being left out; a comma that another argument follows
    for before, text, after in zip(["\n", *tokens], tokens, [*tokens[1:], ""], strict=False):
        if not skipped or (len(brackets) == skipped and text in {",", ")"}):
            skipped, of_field = 0, bool(brackets) and brackets[-1]
            stands_alone = kept[-1] in LAYOUT.values()  # a docstring, and the end of its line
            if of_field and (text, after) == ("description", "="):
                skipped = len(brackets)
            elif of_field and text == ",":
                comma |= kept[-1] != "("
            elif not (stands_alone and (text == "\n" or (_is_text(text) and after == "\n"))):
                if comma and text != ")":
                    kept.append(",")
                kept.append(text)
                comma = False
        if text in {"(", "[", "{"}:
            brackets.append((before, text) == ("Field", "("))
        elif text in {")", "]", "}"}:
            brackets.pop()
    return kept


def _is_text(token: str) -> bool:
    return token.endswith(('"', "'")) and not token.lower().startswith(("f", "b"))


def _file_of(module: str) -> Path:
    """The file of a module, or of a path."""
    if "/" in module:
        return Path(module)
    package, *names = module.split(".")
    path = PACKAGES[package].joinpath(*names)
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
