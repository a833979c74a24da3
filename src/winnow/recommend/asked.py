"""One list of titles in a text that somebody typed or pasted, or that a program sent."""

import json
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from winnow.pipeline.errors import WinnowError
from winnow.recommend.names import NameIndex
from winnow.recommend.typed import TypedList, read_lists

LENGTH = 20_000
"""Characters of one list."""


def _as_text(sent: Any) -> Any:
    """A list, of titles or of objects with title, artist and id, as the JSON that `typed_list` reads."""
    text = json.dumps(sent, ensure_ascii=False) if isinstance(sent, list) else sent
    if isinstance(text, str) and len(text) > LENGTH:
        raise ValueError(f"more than {LENGTH:,} characters")
    return text


Titles = Annotated[
    str,
    BeforeValidator(_as_text),
    WithJsonSchema({"anyOf": [{"type": "string", "maxLength": LENGTH}, {"type": "array"}]}),
]
"""What a question takes as `typed_list`'s text: a text, or a list of JSON."""


def typed_list(index: NameIndex, text: str, separator: str) -> TypedList:
    """The list in a text: of one line, its names between separators; of several, whatever `typed.read_lists` reads.

    Raises WinnowError for a text of several lists.
    """
    if "\n" not in text.strip() and not text.lstrip().startswith(("[", "{")):
        return TypedList(tuple(index.split(text, separator)))
    lists = read_lists(text, where="the text")
    if len(lists) != 1:
        raise WinnowError(f"the text holds {len(lists)} lists", fix="one list at a time")
    return lists[0]
