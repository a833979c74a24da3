"""`winnow serve playlists`: type songs, see how the playlist may go on, with the reasons."""

from dataclasses import asdict, replace
from typing import Any

from pydantic import Field

from winnow.domains.playlists import definitions
from winnow.domains.playlists.inference import PlaylistCompleter
from winnow.learn.devices import configured_device
from winnow.learn.folder import TrainedModel
from winnow.pipeline.errors import WinnowError
from winnow.recommend.asked import Titles, typed_list
from winnow.serve.service import Clock, Question, Service, Upload


class Playlist(Question):
    """A playlist that is to go on."""

    tracks: Titles = Field(
        "",
        description="the tracks in order: one line (`artist – title; …`), or the text of a file (a title "
        "a line, JSON, M3U, CSV); in JSON a list, too",
    )
    name: str = Field("", max_length=1_000, description="the playlist's name: it is enough where no track is known")
    k: int = Field(10, ge=1, le=100, description="tracks to add")


def open_service(trained: TrainedModel) -> Service:
    """The trained network as a service."""
    completer = PlaylistCompleter(trained.folder, configured_device())

    def answer(question: Playlist, _: Upload | None, __: Clock) -> dict[str, Any]:
        if not question.tracks.strip() and not question.name:
            raise WinnowError("name tracks of the playlist, or its name", fix="one track a line: artist – title")
        typed = typed_list(completer.index, question.tracks, ";")
        typed = replace(typed, name=typed.name or question.name)
        (found,) = completer.complete_all([typed], question.k, explain=True, suggest=True)
        return asdict(found)

    popular = completer.known.tracks["playlists"].to_numpy().argsort()[::-1][:3].tolist()
    return Service(
        domain="playlists",
        verb="complete",
        title="Complete a playlist",
        lead="Type the tracks of a playlist, and see how it may go on, and why.",
        trained=trained,
        question=Playlist,
        answer=answer,
        offered={"such_as": [completer.names[track] for track in popular], "because": definitions.BECAUSE},
    )
