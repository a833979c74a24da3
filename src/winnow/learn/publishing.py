"""Uploading a trained model's folder to the Hugging Face hub."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, errors
from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

from winnow.learn.folder import find_judgement, model_folder
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import JUDGEMENT, as_json

CARD = "README.md"
LOG_IN = "hf auth login, or set HF_TOKEN"
HTTPError: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]
"""Of the HTTP library that the hub's client uses."""


def publish_model(
    domain: str, card: str, repo: str, carried: Mapping[str, Any], *, private: bool, dry_run: bool
) -> Iterator[str]:
    """Upload the model's folder, with `card` as README.md, to the repository USER/NAME; yields lines to show.

    `carried`: what the judgement in the folder holds besides.
    With `dry_run` nothing is sent but the question who is logged in. Raises WinnowError when no one is, or when the hub
    refuses.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        raise WinnowError(f"`{repo}` is no name of a repository", fix="--repo USER/NAME")
    folder = model_folder(domain)
    judgement = find_judgement(domain, folder, Path())
    added = {CARD: card, **({JUDGEMENT: as_json({**judgement, **carried})} if judgement else {})}
    hub = HfApi()
    try:
        user = _logged_in(hub)
        yield f"logged in as {user}" if user else f"not logged in, as uploading needs: {LOG_IN}"
    except UnreachableError as error:
        if not dry_run:
            raise
        user = None
        yield f"{error.what}: whether someone is logged in is not known"
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in added)
    for path in files:
        yield f"  {path.relative_to(folder).as_posix()}  {path.stat().st_size:,} bytes"
    for name, text in added.items():
        yield f"  {name}  {len(text.encode()):,} bytes"
    if dry_run:
        yield f"nothing was uploaded (--dry-run); it would go to {repo}"
        return
    if user is None:
        raise WinnowError("no one is logged in to the Hugging Face hub", fix=LOG_IN)
    url = _upload(hub, folder, added, repo, private=private)
    yield f"uploaded to {url}"


class UnreachableError(WinnowError):
    """The hub does not answer."""

    def __init__(self, error: Exception) -> None:
        super().__init__(f"the hub cannot be reached ({error})", fix="check the network, and publish again")


def _upload(hub: HfApi, folder: Path, added: Mapping[str, str], repo: str, *, private: bool) -> str:
    """Send the folder, then the files `added` by their names and texts; gives the address."""
    try:
        url = hub.create_repo(repo, private=private, exist_ok=True)
        hub.upload_folder(repo_id=repo, folder_path=folder, commit_message="model")
        for name, text in added.items():
            hub.upload_file(repo_id=repo, path_or_fileobj=text.encode(), path_in_repo=name, commit_message=name)
    except HfHubHTTPError as error:
        raise WinnowError(f"the hub refused: {error}", where=repo, fix="check the name and your rights") from None
    except HTTPError as error:
        raise UnreachableError(error) from None
    return str(url)


def _logged_in(hub: HfApi) -> str | None:
    """The user's name; None when no one is logged in.

    Raises WinnowError when the hub does not know the token, UnreachableError when it does not answer.
    """
    try:
        return str(hub.whoami()["name"])
    except LocalTokenNotFoundError:
        return None
    except HfHubHTTPError as error:
        raise WinnowError(f"the hub does not accept the token: {error}", fix="hf auth login") from None
    except HTTPError as error:
        raise UnreachableError(error) from None
