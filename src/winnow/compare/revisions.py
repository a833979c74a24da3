"""The results of a Git revision, of an experiment, or of the working tree, wherever DVC has them."""

import io
import json
from typing import Any

import pandas as pd
import yaml
from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.scm import RevError, resolve_rev
from dvc_data.index import DataIndexDirError
from scmrepo.exceptions import SCMError

from winnow.pipeline.errors import WinnowError


class Revision:
    """Files as they are in `name`, a Git revision or an experiment; in the working tree without a name.

    Raises WinnowError when there is no such revision.
    """

    def __init__(self, name: str | None) -> None:
        self.name = name
        commit = None
        if name is not None:
            try:
                commit = resolve_rev(Repo().scm, name)
            except (RevError, SCMError) as error:
                raise WinnowError(f"there is no revision `{name}` ({error})", fix="git log, or dvc exp list") from None
        self.title = f"{name} ({commit[:7]})" if commit else "the working tree"
        self._files = DVCFileSystem(rev=commit)
        self._parsed: dict[str, dict[str, Any]] = {}

    def json(self, path: str) -> dict[str, Any]:
        """A JSON file; empty where there is none."""
        content = self._bytes(path)
        found: dict[str, Any] = json.loads(content) if content else {}
        return found

    def yaml(self, path: str) -> dict[str, Any]:
        """A YAML file, parsed once; empty where there is none."""
        if path not in self._parsed:
            content = self._bytes(path)
            self._parsed[path] = yaml.load(content, Loader=yaml.CSafeLoader) if content else {}
        return self._parsed[path]

    def table(self, path: str) -> pd.DataFrame | None:
        """A Parquet file; None when it is neither here, in DVC's cache, nor in the default remote."""
        content = self._bytes(path)
        return None if content is None else pd.read_parquet(io.BytesIO(content))

    def pictures(self, folder: str) -> dict[str, bytes]:
        """The PNG files of a folder by name, those that are at hand."""
        try:
            paths = sorted(path for path in self._files.find(folder) if path.endswith(".png"))
        except (FileNotFoundError, DataIndexDirError, DvcException):
            return {}
        read = {path.rpartition("/")[2]: self._bytes(path) for path in paths}
        return {name: content for name, content in read.items() if content is not None}

    def _bytes(self, path: str) -> bytes | None:
        try:
            with self._files.open(path, "rb") as file:
                content: bytes = file.read()
        except (FileNotFoundError, DataIndexDirError, DvcException):
            return None
        return content
