"""`winnow serve sessions`: type songs, see recommendations with their reasons."""

from dataclasses import asdict
from typing import Any

from pydantic import Field

from winnow.domains.sessions.inference import Recommender
from winnow.learn.devices import configured_device
from winnow.learn.folder import TrainedModel
from winnow.pipeline.errors import WinnowError
from winnow.recommend.asked import Titles, typed_list
from winnow.serve.service import Clock, Question, Service, Upload


class Likes(Question):
    """Songs that somebody likes, or a user of the training data."""

    likes: Titles = Field(
        "",
        description="songs by id or title: one line with commas between them, or the text of a file (a title a line, "
        "JSON, M3U, CSV); in JSON a list, too",
    )
    user: str = Field(
        "",
        max_length=500,
        coerce_numbers_to_str=True,
        description="id of a user of the training data, in place of songs",
    )
    k: int = Field(10, ge=1, le=100, description="songs to recommend")


def open_service(trained: TrainedModel) -> Service:
    """The trained recommender as a service."""
    recommender = Recommender(trained.folder, configured_device())

    def answer(question: Likes, _: Upload | None, __: Clock) -> dict[str, Any]:
        if bool(question.user) == bool(question.likes.strip()):
            both = "songs and a user were named" if question.user else "neither songs nor a user were named"
            raise WinnowError(both, fix="name songs that somebody likes, one a line, or a user of the training data")
        if question.user:
            found = recommender.for_user(question.user, question.k)
        else:
            typed = typed_list(recommender.index, question.likes, ",")
            found = next(recommender.for_lists([typed], question.k, explain=True, suggest=True))
        return asdict(found)

    songs = recommender.songs
    popular = recommender.graph.popularity.argsort(descending=True)[:3].tolist()
    return Service(
        domain="sessions",
        verb="recommend",
        title="Recommend songs",
        lead="Type songs that somebody likes, and see what else they may like, and why.",
        trained=trained,
        question=Likes,
        answer=answer,
        offered={"such_as": [str(songs["title"].iloc[song]) for song in popular]},
    )
