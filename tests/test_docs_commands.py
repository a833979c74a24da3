"""The commands that the pages show: each is one that its program knows, with options that it has.

What they do is tested where they run: `tests/pipeline/test_commands.py` types the README's and the guide's about
experiments and results, `tests/stages/domain_examples.py` those of each domain's verbs.
"""

import re
import shlex
from importlib.util import find_spec
from typing import Any

import pytest
import typer
from dvc.cli import parse_args

from tests.conftest import ROOT
from tests.test_docs import PAGES
from winnow.cli.app import app

PROGRAMS = ("winnow", "dvc", "make", "python", "git")
WORDS = {
    "N": "5", "YEAR": "2017", "NAME": "web", "…": "", "...": "", "DOMAIN": "climb", "USER": "u1",
    "MINUTES": "5", "DIR": ".",
}  # fmt: skip
"""What stands for a value of the reader's, and one that it may have; other words in capitals are any text."""


def shown_commands(text: str) -> list[str]:
    """The commands of a page's blocks: without prompts, comments, and what a shell makes of `$(…)`."""
    blocks = re.findall(r"^```(?:sh|bash|console)?\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += [line.strip() for line in text.splitlines() if line.startswith("    ")]
    joined = "\n".join(line.strip() for line in lines).replace("\\\n", " ")
    found = []
    for line in joined.splitlines():
        inner = re.findall(r"\$\(([^()]*)\)", line)
        plain = re.sub(r"\s#\s.*", "", line.removeprefix("$ "))
        plain = re.sub(r"\$\([^()]*\)", "", re.sub(r'"\$\([^()]*\)"', "given", plain))
        for part in [*inner, *re.split(r"&&|;(?=(?:[^'\"]|'[^']*'|\"[^\"]*\")*$)", plain)]:
            words = (part.replace('"', "") if part.count('"') % 2 else part).split()
            while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
                words = words[1:]
            if words[1:] and words[0] in PROGRAMS and not set(words) & {"│", "→"}:
                found.append(" ".join(words))
    return found


def words_of(command: str) -> list[str]:
    """The words, of which brackets only say that they may be left out."""
    plain = re.sub(r"\[([^\]]*)\]", lambda found: found[1].partition(" | ")[0], command)
    words = [WORDS.get(word, word.removesuffix("…")) for word in shlex.split(plain)]
    return [word for word in words if word]


COMMANDS = sorted({(page, command) for page, text in PAGES.items() for command in shown_commands(text)})


def test_the_pages_commands_are_found() -> None:
    """The test of a test: what is certainly there is among them."""
    shown = {command for _, command in COMMANDS}
    assert {"winnow board", "winnow rows climb", "winnow preset climb full", "dvc repro plot@retina"} <= shown
    assert "winnow doctor" in shown
    assert len(shown) > 100


@pytest.mark.parametrize("page", sorted({page for page, _ in COMMANDS}))
def test_every_command_of_a_page_is_one_of_its_program(page: str) -> None:
    wrong = []
    for _, command in (each for each in COMMANDS if each[0] == page):
        try:
            check(command)
        except WrongError as error:
            wrong.append(f"{command}: {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "command",
    [
        "winnow row climb",
        "winnow rows climb --stge filter",
        "winnow climb generat",
        "winnow noise climb --seeds many",
        "winnow retina grade",
        "dvc repo plot@climb",
        "dvc exp run --tmp",
        "make everything",
        "python -m stages.climb.fil",
    ],
)
def test_a_command_that_there_is_not_is_found(command: str) -> None:
    with pytest.raises(WrongError):
        check(command)


class WrongError(Exception):
    """A command that its program would refuse; the message is what it says."""


def check(command: str) -> None:
    """Raise WrongError with whatever a program says of its arguments, without running it."""
    try:
        program, *arguments = words_of(command)
        if program == "winnow":
            parse(typer.main.get_command(app), arguments)
        elif program == "dvc":
            parse_args(arguments)
        elif program == "make":
            targets = re.findall(r"^([\w./-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            assert {each for each in arguments if "=" not in each} <= set(targets)
        elif program == "python" and arguments[0] == "-m":
            assert find_spec(arguments[1]) is not None
    except Exception as error:
        raise WrongError(f"{type(error).__name__}: {error}") from error


def parse(command: Any, arguments: list[str], parent: Any = None) -> None:
    """Raise typer's error for a command, an option or a value that there is not."""
    if not hasattr(command, "list_commands"):
        command.make_context("command", list(arguments), parent=parent)
        return
    context = command.make_context("group", list(arguments), parent=parent)
    _, inner, rest = command.resolve_command(context, [*context._protected_args, *context.args])
    parse(inner, rest, context)
