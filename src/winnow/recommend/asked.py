"""One list of titles in a text that somebody typed or pasted."""

from winnow.pipeline.errors import WinnowError
from winnow.recommend.names import NameIndex
from winnow.recommend.typed import TypedList, read_lists


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
