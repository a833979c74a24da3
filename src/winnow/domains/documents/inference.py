"""What a user does with the trained assessor: judge scans. Everything is done as the model's folder says.

`inputs` reads the pages, `judging` says what is found of each; `evaluation.own_pages` judges the assessor itself.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from winnow.domains.documents.inputs import Options, Prepared, Task, prepare, tasks
from winnow.domains.documents.judging import entries
from winnow.domains.documents.model.estimates import BATCH, Calibration, load_assessor
from winnow.domains.documents.model.heatmaps import explain
from winnow.domains.documents.model.network import Assessor
from winnow.domains.documents.rules.reading import check_installed
from winnow.domains.documents.source.files import documents_of
from winnow.images.codec import Pixels, encode_png
from winnow.images.listing import distinct_names
from winnow.images.parallel import map_images
from winnow.learn.devices import keep_freed_memory
from winnow.pipeline.files import atomic_path
from winnow.show.heat import overlay


def assess_files(
    files: Sequence[Path], folder: Path, device: torch.device, options: Options
) -> Iterator[dict[str, Any]]:
    """One entry per page, in the order given, as soon as it is known: memory does not grow with the pages.

    `score`, `class`, `probabilities`, `legibility`, `framing`, the flagged `issues` with their severities, `verdict`
    and `reasons`, the degrees by which the page is `turned` and its `text_height` in pixels, with the heat map's file
    as `explained` when a folder for them is given; `readability` as the network has learnt it from an OCR, if it has,
    and `ocr_readability` as one reads this page, with its `ocr_lines` and their median `ocr_text_height` in pixels, if
    it shall: `turned`, `text_height` and the verdict then rest on its lines, too, where enough of them agree; or the
    `error` that keeps a file, or a page of it, from being judged.
    `document` names what it is a page of; the last page of a document has the whole document's `document_verdict`, and
    `whole_documents` gives it to the others.
    """
    keep_freed_memory()
    model, calibration = load_assessor(device, folder)
    limits = dict(options.limits)
    calibration = replace(calibration, retake_below=limits.pop("retake_below", calibration.retake_below))
    model.decision = replace(model.decision, **limits)
    return assess_with(model, calibration, files, options)


def assess_with(
    model: Assessor, calibration: Calibration, files: Sequence[Path], options: Options
) -> Iterator[dict[str, Any]]:
    """`assess_files` by a model that is loaded already."""
    if options.ocr:
        check_installed()
    names = distinct_names(files)
    of_file = _documents(files)
    to_come = Counter(of_file.values())
    verdicts: dict[str, list[str]] = {}

    def prepared(task: Task) -> Prepared:
        return prepare(task, model, options)

    pages = map_images(prepared, tasks(files, model.preparation))
    while some := list(islice(pages, BATCH)):
        judged = iter(entries(some, model, calibration))
        for each in some:
            task, document = each.task, of_file[each.task.file]
            place = {"page": task.number + 1, "pages": task.pages}
            unread: dict[str, Any] = {"file": str(task.file), **place, "error": each.error}
            entry = unread if each.error else next(judged)
            entry["document"] = document
            verdicts.setdefault(document, []).append(entry.get("verdict", "error"))
            if options.explained is not None and not each.error:
                page_name = f"#{task.number + 1}" if task.pages > 1 else ""  # `_p1` may be a file's own name
                target = options.explained / f"{names[task.file]}{page_name}_heat.png"
                entry["explained"] = str(_save(target, _explained(model, each.page)))
            if task.number + 1 == task.pages:
                to_come[document] -= 1
                if not to_come[document]:
                    entry["document_pages"] = len(verdicts[document])
                    entry["document_verdict"] = worst(verdicts.pop(document))
            yield entry


def _documents(files: Sequence[Path]) -> dict[Path, str]:
    """The document of each file, by its name; `bill.pdf` and `bill.png` are two, since neither has a page's number."""
    stems = {file: str(file.with_suffix("")) for file in files}
    documents, alike = documents_of(stems.values()), Counter(stems.values())
    return {
        file: str(file) if alike[stem] > 1 and documents[stem] == stem else documents[stem]
        for file, stem in stems.items()
    }


def whole_documents(entries: Iterable[dict[str, Any]], waiting: deque[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The entries in order, each with its document's verdict; `waiting` holds those whose document is not whole yet."""
    known: dict[str, dict[str, Any]] = {}
    for entry in entries:
        waiting.append(entry)
        if "document_verdict" in entry:
            known[entry["document"]] = {name: entry[name] for name in ("document_pages", "document_verdict")}
        while waiting and (found := known.get(waiting[0]["document"])):
            first = waiting.popleft()
            if "document_verdict" in first:  # the last one of its document
                del known[first["document"]]
            yield first | found


def stopped(waiting: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What waits in `whole_documents` when the work is stopped, with the verdicts of documents that are whole."""
    known = {
        entry["document"]: {name: entry[name] for name in ("document_pages", "document_verdict")}
        for entry in waiting
        if "document_verdict" in entry
    }
    return [entry | known.get(entry["document"], {}) for entry in waiting]


def worst(verdicts: Sequence[str]) -> str:
    """The verdict on a document, of those on its pages: blank only if all of its pages are."""
    order = ["error", "retake", "warn", "accept", "blank"]
    return min(verdicts, key=order.index)


def _explained(model: Assessor, page: Pixels) -> Pixels:
    pictures = explain(model, page)
    return overlay(encode_png(pictures.page), encode_png(pictures.heat))


def _save(target: Path, picture: Pixels) -> Path:
    with atomic_path(target) as scratch:
        scratch.write_bytes(encode_png(picture))
    return target
