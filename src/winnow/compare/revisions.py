"""The results of a Git revision, of an experiment, or of the working tree, wherever DVC has them."""

import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.scm import RevError, resolve_rev
from dvc_data.index import DataIndexDirError
from pyarrow import ArrowInvalid
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from scmrepo.exceptions import SCMError

from winnow.pipeline.errors import WinnowError

OUT_OF_REACH = (OSError, ImportError, DataIndexDirError, DvcException)
"""What DVC raises for files that are not there, and for remotes that do not answer or whose plugin is not installed."""


class Revision:
    """Files as they are in `name`, a Git revision or an experiment; in the working tree without a name.

    Raises WinnowError when there is no such revision.
    """

    def __init__(self, name: str | None) -> None:
        self.name = name
        if name == "":  # Git's HEAD to DVC, but mostly what a command in the shell failed to print
            raise WinnowError("the revision's name is empty", fix="git log, or dvc exp list")
        try:
            scm = Repo().scm
            commit: str = scm.resolve_rev(f"{resolve_rev(scm, name or 'HEAD')}^{{commit}}")  # not of a tree or a file
        except (RevError, SCMError) as error:
            raise WinnowError(
                f"there is no revision `{name or 'HEAD'}` ({error})", fix="git log, or dvc exp list"
            ) from None
        self.title = f"the working tree at {commit[:7]}"
        if name is not None:
            self.title = commit[:7] if commit.startswith(name) else f"{name} ({commit[:7]})"
        self._files = DVCFileSystem(rev=commit if name else None)
        self._parsed: dict[str, dict[str, Any]] = {}

    def json(self, path: str) -> dict[str, Any]:
        """A JSON object; empty where there is none. Raises WinnowError when the file holds something else."""
        content = self.read(path)
        try:
            found = json.loads(content) if content else {}
        except ValueError as error:
            raise WinnowError(
                f"{path} is not valid JSON: {error}", where=self.title, fix="dvc repro writes it"
            ) from None
        return self._mapping(path, found)

    def yaml(self, path: str) -> dict[str, Any]:
        """A YAML mapping, parsed once; empty where there is none. Raises WinnowError when the file is not one."""
        if path not in self._parsed:
            content = self.read(path)
            try:
                found = YAML(typ="safe", pure=True).load(content) if content else {}
            except YAMLError as error:
                raise WinnowError(f"{path} is not valid YAML: {error}", where=self.title) from None
            self._parsed[path] = self._mapping(path, found)
        return self._parsed[path]

    def locked_stages(self) -> dict[str, Any]:
        """What dvc.lock records of each stage, by the stage's name; empty where nothing has run."""
        return self.yaml("dvc.lock").get("stages") or {}

    def table(self, path: str) -> pd.DataFrame | None:
        """A Parquet file; None when it is neither here, in DVC's cache, nor in the default remote.

        Raises WinnowError when it is not valid Parquet.
        """
        content = self.read(path)
        try:
            return None if content is None else pd.read_parquet(io.BytesIO(content))
        except ArrowInvalid as error:
            raise WinnowError(
                f"{path} is not valid Parquet: {error}", where=self.title, fix="dvc checkout, or dvc repro"
            ) from None

    def pictures(self, folder: str) -> dict[str, bytes]:
        """The PNG files of a folder by name, those that are at hand."""
        try:
            paths = sorted(path for path in self._files.find(folder) if path.endswith(".png"))
        except OUT_OF_REACH:
            return {}
        read = {path.rpartition("/")[2]: self.read(path) for path in paths}
        return {name: content for name, content in read.items() if content is not None}

    def read(self, path: str) -> bytes | None:
        """A file's content; None when it is neither here, in Git, in DVC's cache, nor in the default remote."""
        here = Path(path)
        if self.name is None and here.parent.is_dir():  # need not be looked up in dvc.lock
            return here.read_bytes() if here.is_file() else None
        try:
            with self._files.open(path, "rb") as file:
                content: bytes = file.read()
        except OUT_OF_REACH:
            return None
        return content

    def _mapping(self, path: str, found: Any) -> dict[str, Any]:
        if not isinstance(found, dict):
            raise WinnowError(f"{path} holds no names with values", where=self.title)
        return found
