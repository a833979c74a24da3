"""The files of a folder: pages, and what is passed over; and which files are pages of one document, by their names."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from winnow.domains.documents.source.pages import SUFFIXES
from winnow.pipeline.errors import WinnowError

PAGE_IN_NAME = re.compile(r"(?P<document>.+?)[ _.-]p(?:age)?[ _.-]?\d{1,4}", re.IGNORECASE)
"""`report_p2` is page 2 of the document `report`."""
NUMBER_IN_NAME = re.compile(r"(?P<document>.+?)[ _.-]+\(?(?P<number>\d{1,4})\)?")
"""`report-2` may be."""
DAY = re.compile(r"(?:.*\D)?(?:19|20)\d\d[ _.-]\d\d[ _.-]\d\d")
"""`2026-11-02` is no page 2."""
MAX_NUMBERED = 500
"""Files whose numbers may be those of one document's pages; of more, `invoice-0001` and so on, each is a document."""
ANYTHING = re.compile(
    r"(?:.*[/ _.-])?(?:scan|scanned|img|image|dsc|dscn|pxl|photo|picture|screenshot|doc|document|file|untitled|new)s?",
    re.IGNORECASE,
)
"""Names that a device gives: their numbers count files, not pages."""


@dataclass
class Found:
    """What a walk found."""

    pages: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    """files that are no pages, links to nothing, linked folders that were not followed, and what may not be listed"""

    def passed_over(self) -> str:
        """What others there are, as text: `3 files passed over: 2 .docx, 1 .txt`; empty without any."""
        kinds = Counter(_kind(each) for each in self.others)
        named = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        return f"{len(self.others)} passed over, which are no pages: {named}" if self.others else ""


def walk(folder: Path, *, links: bool) -> Found:
    """The files below a folder, sorted, hidden ones left out; with `links` those of linked folders too, each once."""
    found, seen = Found(), {folder.resolve()}

    def closed(error: OSError) -> None:
        found.others.append(Path(error.filename))

    for place, folders, files in os.walk(folder, followlinks=links, onerror=closed):
        here = Path(place)
        for name in sorted(folders):
            inside = here / name
            if name.startswith("."):
                folders.remove(name)
            elif inside.is_symlink():
                target = inside.resolve()
                again = any(target.is_relative_to(known) for known in seen)
                if links and not again and not any(known.is_relative_to(target) for known in seen):
                    seen.add(target)
                else:
                    folders.remove(name)
                    found.others += [] if links and again else [inside]
        visible = [here / name for name in files if not name.startswith(".")]
        for file in visible:
            is_page = file.suffix.lower() in SUFFIXES and file.is_file()
            (found.pages if is_page else found.others).append(file)
    found.pages.sort()
    found.others.sort()
    return found


def named_files(paths: Sequence[Path]) -> Found:
    """The files that a command line names, each once: files as they are, and what is in folders, linked ones too.

    Raises WinnowError for a path that does not exist and for a folder without a page.
    """
    found = Found()
    for path in paths:
        if path.is_dir():
            inside = walk(path, links=True)
            if not inside.pages:
                fix = f"one of {', '.join(SUFFIXES)}"
                raise WinnowError(f"{path} holds no page", where=inside.passed_over(), fix=fix)
            found.pages += inside.pages
            found.others += inside.others
        elif path.is_file():
            found.pages.append(path)
        else:
            what = "is no file that can be read twice, such as a pipe" if path.exists() else "does not exist"
            raise WinnowError(f"{path} {what}", fix=f"name a file ({', '.join(SUFFIXES)}) or a folder of them")
    return Found(list(dict.fromkeys(found.pages)), list(dict.fromkeys(found.others)))


def _kind(other: Path) -> str:
    """What is passed over, as text."""
    if other.is_dir():
        return "linked folder" if other.is_symlink() else "folder that cannot be listed"
    if other.is_symlink() and not other.exists():
        return "link to nothing"
    return (other.suffix.lower() or "no suffix") if other.is_file() else "no file"


def documents_of_source(names: Sequence[str]) -> dict[str, str]:
    """As `documents_of`; where all files of a source would be one document, their numbers do not count pages."""
    found = documents_of(names)
    return found if len(set(found.values())) > 1 else {name: name for name in names}


def documents_of(names: Iterable[str]) -> dict[str, str]:
    """The document that each page belongs to, by its name without suffix: `report_p2`, `report-2`, `report_002`.

    A number alone says so only when it counts from 0 or 1, with at most half of the numbers missing, of at most
    `MAX_NUMBERED` files, and when the name before it is not one that devices give to every file. `Report-1` and
    `report-2` are of one document.
    """
    found = {name: name for name in names}
    spelled: dict[str, str] = {}
    numbered: dict[str, dict[str, int]] = {}
    for name in found:
        if match := PAGE_IN_NAME.fullmatch(name):
            found[name] = spelled.setdefault(match["document"].casefold(), match["document"])
        elif DAY.fullmatch(name):
            continue
        elif (match := NUMBER_IN_NAME.fullmatch(name)) and not ANYTHING.fullmatch(match["document"]):
            document = spelled.setdefault(match["document"].casefold(), match["document"])
            numbered.setdefault(document, {})[name] = int(match["number"])
    for document, pages in numbered.items():
        numbers = set(pages.values())
        if len(pages) <= MAX_NUMBERED and min(numbers) <= 1 and max(numbers) <= 2 * len(numbers):
            found |= dict.fromkeys(pages, document)
    return found
