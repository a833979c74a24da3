"""The results of a Git revision, of an experiment, or of the working tree, wherever DVC has them."""

import hashlib
import io
import json
import subprocess
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from dvc.fs.data import DataFileSystem
from dvc.output import Output
from dvc.repo import Repo
from dvc.repo.index import Index
from dvc.scm import RevError, resolve_rev
from dvc_data.index import DataIndexDirError
from ruamel.yaml import YAML
from scmrepo.exceptions import SCMError

from winnow.pipeline.errors import WinnowError
from winnow.pipeline.reading import reading
from winnow.pipeline.tables import open_parquet
from winnow.workspace.lockfile import check_merged, repository

MADE = ("data/", "metrics/")
"""Where stages write."""
OUT_OF_REACH = (OSError, ImportError, DataIndexDirError, DvcException)
"""What DVC raises for files that are not there, and for remotes that do not answer or whose plugin is not installed."""


class Revision:
    """Files as they are in `name`, a Git revision or an experiment; in the working tree without a name.

    What a stage wrote is what dvc.lock says of it: where the working tree holds another file, such as after a `git
    checkout` without `dvc checkout`, it is read from DVC's cache, and `notes` says so.

    Raises WinnowError when there is no such revision.
    """

    def __init__(self, name: str | None) -> None:
        self.name = name
        self.notes: dict[str, str] = {}
        """by the path that a stage wrote, what is wrong with the file that was read"""
        self._current: dict[str, bool] = {}
        if name == "":  # Git's HEAD to DVC, but mostly what a command in the shell failed to print
            raise WinnowError("the revision's name is empty", fix="git log, or dvc exp list")
        if name is None:
            check_merged()
        scm = repository().scm
        try:
            commit: str = scm.resolve_rev(f"{resolve_rev(scm, name or 'HEAD')}^{{commit}}")  # not of a tree or a file
        except (RevError, SCMError) as error:
            raise WinnowError(
                f"there is no revision `{name or 'HEAD'}` ({error})",
                fix="git fetch --unshallow: this clone is shallow" if _is_shallow() else "git log, or dvc exp list",
            ) from None
        self.title = f"the working tree at {commit[:7]}"
        if name is not None:
            self.title = commit[:7] if commit.startswith(name) else f"{name} ({commit[:7]})"
        inner = Path(Repo.find_root()).resolve().relative_to(Path(scm.root_dir).resolve()).as_posix() if name else "."
        self._root = "" if inner == "." else f"{inner}/"
        """of the checkout in the files of a commit: it may be a folder of a larger repository"""
        self._files = DVCFileSystem(rev=commit, subrepos=bool(self._root)) if name else DVCFileSystem()
        self._parsed: dict[str, dict[str, Any]] = {}

    def json(self, path: str) -> dict[str, Any]:
        """A JSON object; empty where there is none. Raises WinnowError when the file holds something else."""
        content = self.read(path)
        with reading(path, "is not valid JSON", fix="dvc repro writes it", where=self.title, error=WinnowError):
            found = json.loads(content) if content else {}
        return self._mapping(path, found)

    def yaml(self, path: str) -> dict[str, Any]:
        """A YAML mapping, parsed once; empty where there is none. Raises WinnowError when the file is not one."""
        if path not in self._parsed:
            content = self.read(path)
            with reading(path, "is not valid YAML", fix="restore it: git log", where=self.title, error=WinnowError):
                found = YAML(typ="safe", pure=True).load(content) if content else {}
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
        with reading(
            path, "is not valid Parquet", fix="dvc checkout, or dvc repro", where=self.title, error=WinnowError
        ):
            return None if content is None else open_parquet(io.BytesIO(content)).read().to_pandas()

    def pictures(self, folder: str) -> dict[str, bytes]:
        """The PNG files of a folder by name, those that are at hand."""
        try:
            paths = sorted(path for path in self._files.find(self._root + folder) if path.endswith(".png"))
        except OUT_OF_REACH:
            return {}
        read = {path.rpartition("/")[2]: self.read(path.removeprefix(self._root)) for path in paths}
        return {name: content for name, content in read.items() if content is not None}

    def read(self, path: str) -> bytes | None:
        """A file's content; None when it is neither here, in Git, in DVC's cache, nor in the default remote."""
        locked = self._locked_files.get(path) if path.startswith(MADE) else None
        try:
            content, cached = self._read(path)
        except OUT_OF_REACH:
            if locked:
                self.notes[path] = f"{path}, which its stage wrote by dvc.lock, is missing: git checkout, or dvc repro"
            return None
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if locked and digest != locked:
            self.notes[path] = f"{path} is not what dvc.lock says that its stage wrote: dvc repro"
        if cached and digest != cached:
            self.notes[path] = (
                f"{path} is damaged in DVC's cache: delete files/md5/{cached[:2]}/{cached[2:]} there, then dvc fetch, "
                "or dvc repro --force of its stage"
            )
        return content

    def _read(self, path: str) -> tuple[bytes, str | None]:
        """A file's content; if it comes from DVC's cache, also the digest by which it was looked up there."""
        files, name = self._files, self._root + path
        if self.name is None:
            out = next((out for out in self._cached_outputs if Path(path).is_relative_to(out.def_path)), None)
            if out is None or self._is_current(out):
                return Path(path).read_bytes(), None
            files, name = DataFileSystem(index=self._index.data["repo"]), path
        with files.open(name, "rb") as file:
            content: bytes = file.read()
        try:
            return content, files.info(name).get("md5")
        except OUT_OF_REACH:  # it was read all the same, such as from Git
            return content, None

    @cached_property
    def _index(self) -> Index:
        return Repo().index

    @cached_property
    def _cached_outputs(self) -> list[Output]:
        """What stages wrote to DVC's cache, by dvc.lock of the working tree; nothing where there is no dvc.yaml."""
        try:
            return [out for out in self._index.outs if out.use_cache]
        except DvcException as error:
            fix = "correct the file; in a merge or rebase, `git status` names what has conflicts"
            raise WinnowError(f"DVC cannot read the pipeline: {error}", where=self.title, fix=fix) from None

    @cached_property
    def _locked_files(self) -> dict[str, str]:
        """The digests of what stages wrote, by path; Git may keep the file."""
        outs = [out for stage in self.locked_stages().values() for out in stage.get("outs", [])]
        return {out["path"]: out.get("md5", "") for out in outs}

    def _is_current(self, out: Output) -> bool:
        """Whether the working tree holds what dvc.lock says; a note where it holds something else."""
        if out.def_path not in self._current:
            self._current[out.def_path] = not out.workspace_status()
            if out.exists and not self._current[out.def_path]:
                self.notes[out.def_path] = f"{out.def_path} was not read: " + (
                    f"it is not what dvc.lock says (`dvc checkout {out.def_path}` brings that back)"
                    if out.hash_info
                    else "dvc.lock does not know it (git checkout dvc.lock, or dvc repro)"
                )
        return self._current[out.def_path]

    def _mapping(self, path: str, found: Any) -> dict[str, Any]:
        if not isinstance(found, dict):
            raise WinnowError(f"{path} holds no names with values", where=self.title)
        return found


def _is_shallow() -> bool:
    """Whether Git has a part of the history alone, wherever it keeps it."""
    asked = ["git", "rev-parse", "--is-shallow-repository"]
    return subprocess.run(asked, capture_output=True, check=False).stdout.strip() == b"true"
