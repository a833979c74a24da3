"""For `make docs`: links to files of the repository that are no pages of the site become their names."""

import re
from typing import Any

OUTSIDE = re.compile(r"\[([^\]]*)\]\((\.\./[^)]*)\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page without links that leave docs/."""
    return OUTSIDE.sub(r"\1 (`\2`)", markdown).replace("(`../", "(`")
