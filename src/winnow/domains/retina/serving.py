"""`winnow serve retina`: drop a fundus photograph, see the grade and how sure it is."""

from typing import Any

from pydantic import Field

from winnow.domains.retina import definitions
from winnow.domains.retina.cli import UNSEEN, WHY
from winnow.domains.retina.inference import Opened, grade_with
from winnow.domains.retina.source.formats import SUFFIXES
from winnow.learn.devices import configured_device
from winnow.learn.folder import TrainedModel
from winnow.pipeline.errors import WinnowError
from winnow.serve.pictures import file_uri
from winnow.serve.service import DAMAGED, Clock, Question, Service, Upload


class Photograph(Question):
    """A fundus photograph."""

    explain: bool = Field(False, description="also give the photograph with its heat map, as `explained`")


def open_service(trained: TrainedModel) -> Service:
    """The trained grader as a service."""
    opened = Opened.of(trained.folder, configured_device())

    def answer(question: Photograph, upload: Upload, _: Clock) -> list[dict[str, Any]]:
        with upload.as_file(SUFFIXES, "a photograph") as file:
            (graded,) = grade_with(opened, [file], file.parent if question.explain else None)
            if "explained" in graded:
                graded["explained"] = file_uri(graded["explained"])
        if "error" in graded:
            raise WinnowError(f"{upload.name}: {graded['error']}", fix=DAMAGED)
        return [{**graded, "file": upload.name}]

    return Service(
        domain="retina",
        verb="grade",
        title="Grade a fundus photograph",
        lead="Send a photograph of the fundus, and see its grade of diabetic retinopathy and how sure it is.",
        trained=trained,
        question=Photograph,
        answer=answer,
        accept=SUFFIXES,
        offered={
            "why": WHY,
            "names": definitions.GRADE_NAMES,
            "unseen": UNSEEN,
            "from": definitions.REFERABLE_FROM,
            "borderline": definitions.BORDERLINE,
        },
    )
