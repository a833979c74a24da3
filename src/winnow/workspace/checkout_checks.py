"""What `winnow doctor` checks of a checkout: its code, Git, DVC, the remotes, each domain's params, data and model."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from configparser import ConfigParser
from configparser import Error as ConfigError
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from winnow.pipeline.checkout import check_code_location
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.params import PARAMS_FILE, Document
from winnow.workspace.checks import Check, few
from winnow.workspace.lockfile import check_lock
from winnow.workspace.validation import read_each_domain

SCHEMES = {
    "s3": "dvc_s3",
    "gs": "dvc_gs",
    "azure": "dvc_azure",
    "ssh": "dvc_ssh",
    "gdrive": "dvc_gdrive",
    "hdfs": "dvc_hdfs",
    "webdav": "dvc_webdav",
    "webdavs": "dvc_webdav",
}
"""Kinds of remote storage, and the module that DVC needs for each."""
SAYS_WHY = "dvc repro check says what is wrong: correct params.yaml"


def code() -> Check:
    """Whether commands run this checkout's code."""
    try:
        check_code_location()
    except WinnowError as error:
        return Check("checkout", "missing", "`winnow` is another checkout's", error.fix)
    return Check("checkout", "ok", "`winnow` is this checkout's")


def git() -> Check:
    """Whether there is a repository, and a name for its commits."""
    if shutil.which("git") is None:
        return Check("git", "missing", "not installed", "install git")
    if _output("git", "rev-parse", "--is-inside-work-tree") != "true":
        return Check("git", "missing", "this checkout is no Git repository", "clone it instead of downloading it")
    unset = [name for name in ("user.name", "user.email") if not _output("git", "config", name)]
    if unset:
        fix = " && ".join(f"git config --global {name} …" for name in unset)
        return Check("git", "missing", f"{' and '.join(unset)} not set: experiments cannot be committed", fix)
    return Check("git", "ok", _output("git", "--version").removeprefix("git version "))


def dvc() -> Check:
    """Whether DVC is here, and dvc.lock can be read."""
    if find_spec("dvc") is None:
        return Check("dvc", "missing", "not installed", "make .venv/ready")
    if not Path(".dvc").is_dir():
        return Check("dvc", "missing", "not initialised", "git checkout .dvc (a clone has it), or dvc init")
    try:
        check_lock()
    except WinnowError as error:
        return Check("dvc", "missing", error.what, error.fix)
    return Check("dvc", "ok", version("dvc"))


def remotes() -> Iterator[Check]:
    """Each remote storage, and whether DVC can reach that kind."""
    config = ConfigParser(interpolation=None, strict=False)
    try:
        config.read([Path(".dvc/config"), Path(".dvc/config.local")], encoding="utf-8")
    except (ConfigError, UnicodeDecodeError) as error:
        line = getattr(error, "lineno", None)
        told = "DVC's configuration cannot be read" + (f": line {line}" if line else "")
        yield Check("remote", "missing", told, "git checkout .dvc/config, or correct .dvc/config.local")
        return
    remotes = {
        name.strip("'\"")[len('remote "') :].rstrip('"'): config[name].get("url", "")
        for name in config.sections()
        if name.strip("'").startswith('remote "')
    }
    if not remotes:
        yield Check("remote", "note", "none: results stay on this machine", "docs/remotes.md says how to add one")
    for name, url in remotes.items():
        scheme = url.partition("://")[0] if "://" in url else "local"
        module = SCHEMES.get(scheme)
        if module and find_spec(module) is None:
            yield Check(
                "remote", "missing", f"{name} is {scheme}, which needs {module}", f"pip install 'dvc[{scheme}]'"
            )
        elif scheme == "local" and not (Path(".dvc") / url).is_dir():  # paths in DVC's configuration begin there
            yield Check("remote", "note", f"{name} (local): its folder is not here", "mount it; `dvc push` creates it")
        else:
            yield Check("remote", "ok", f"{name} ({scheme})")


def device_of(params: dict[str, Any]) -> str:
    """The params' runtime.device; `auto` where they have no runtime."""
    runtime = params.get("runtime")
    return str(runtime.get("device")) if isinstance(runtime, dict) else "auto"


def read_params() -> dict[str, Any]:
    """params.yaml; empty where it cannot be read."""
    try:
        return dict(Document(PARAMS_FILE).content)
    except WinnowError:
        return {}


def domains() -> Iterator[Check]:
    """Each domain: its params, its data and its model."""
    try:
        params, problems = read_each_domain()
    except WinnowError as error:
        yield Check(
            "params.yaml", "missing", f"it cannot be read or is invalid: {_places(error.what.splitlines())}", SAYS_WHY
        )
        return
    for domain in params["domains"]:
        if domain in problems:
            yield Check(domain, "missing", f"its params are invalid: {_places(problems[domain])}", SAYS_WHY)
            continue
        sources = (params.get(domain) or {}).get("ingest", {}).get("sources") or []
        lost = [path for each in sources for path in _paths(each) if not Path(path).exists()]
        trained = Path("data", domain, "train", "model").is_dir()
        model = "model here" if trained else "no model here"
        if lost:
            tracked = all(any(Path(f"{part}.dvc").exists() for part in (path, *Path(path).parents)) for path in lost)
            fix = "dvc checkout, or dvc pull" if tracked else f"winnow init {domain} FILE…, or correct params.yaml"
            yield Check(domain, "missing", f"source data are not here: {few(lost)}", fix)
            continue
        data = f"{len(sources)} source(s)" if sources else "embedded data"
        locked = Path("metrics", domain, "evaluate.json").exists()
        get = f"winnow run {domain}"
        if locked and any(Path(".dvc/cache/files").glob("*/*")):
            get += f"; or dvc checkout train@{domain}, where its results are in the cache"
        if trained and (wrong := _damage(Path("data", domain, "train", "model"))):
            restore = f"dvc checkout --force train@{domain}, or dvc repro train@{domain}"
            yield Check(domain, "missing", f"{data}, the model is damaged: {wrong}", restore)
            continue
        fix = "" if trained else get
        yield Check(domain, "ok" if trained else "note", f"{data}, {model}", fix)


def _damage(folder: Path) -> str:
    """What is wrong with a model's files, of those that all models have; empty for a whole one."""
    weights = folder / "model.safetensors"
    missing = [file.name for file in (folder / "config.json", weights) if not file.is_file()]
    if missing:
        return f"{' and '.join(missing)} missing"
    try:
        json.loads((folder / "config.json").read_bytes())
        with safe_open(weights, "numpy"):  # which compares the file's size with its header
            return ""
    except (ValueError, OSError, SafetensorError) as error:
        return " ".join(str(error).split())[:100]


def _paths(source: dict[str, Any]) -> list[str]:
    return [value for key, value in source.items() if key in {"path", "images"} and isinstance(value, str)]


def _places(problems: list[str]) -> str:
    """The line and the key of each problem, without its value, which may be private."""
    return few([problem.partition("` ")[0].replace("`", "") for problem in problems])


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()
