"""`winnow serve documents`: drop a scan or a PDF, see the verdict on each page with its reasons."""

from collections import deque
from typing import Any

from pydantic import Field

from winnow.domains.documents.inference import assess_with, whole_documents
from winnow.domains.documents.inputs import Options
from winnow.domains.documents.model.estimates import load_assessor
from winnow.domains.documents.source.files import documents_of
from winnow.domains.documents.source.pages import SUFFIXES
from winnow.learn.devices import configured_device
from winnow.learn.folder import TrainedModel
from winnow.pipeline.errors import WinnowError
from winnow.serve.pictures import file_uri
from winnow.serve.service import DAMAGED, Clock, Question, Service, Upload


class Scan(Question):
    """A page, or a file of several."""

    explain: bool = Field(False, description="also give each page with its heat map, as `explained`")
    turn: bool = Field(False, description="judge pages that are turned as if they were upright")


def open_service(trained: TrainedModel) -> Service:
    """The trained assessor as a service."""
    model, calibration = load_assessor(configured_device(), trained.folder)

    def answer(question: Scan, upload: Upload, clock: Clock) -> list[dict[str, Any]]:
        entries = []
        with upload.as_file(SUFFIXES, "a page") as file:
            options = Options(file.parent if question.explain else None, question.turn)
            for entry in assess_with(model, calibration, [file], options):
                clock.check()
                if "explained" in entry:
                    entry["explained"] = file_uri(entry["explained"])
                entries.append({**entry, "file": upload.name, "document": _document(upload.name)})
        if all("error" in entry for entry in entries):
            raise WinnowError(f"{upload.name}: {entries[0]['error']}", fix=DAMAGED)
        return list(whole_documents(entries, deque()))

    return Service(
        domain="documents",
        verb="assess",
        title="Judge a scan",
        lead="Send a scan or a PDF, and see for each page whether it can be read, and why not.",
        trained=trained,
        question=Scan,
        answer=answer,
        accept=SUFFIXES,
    )


def _document(name: str) -> str:
    """What the file is a page of, by its name alone."""
    stem = name.rpartition(".")[0] or name
    return documents_of([stem])[stem]
