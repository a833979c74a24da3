"""`winnow doctor`: what winnow needs, what of it is here, and the command that mends the rest.

It names no host, user, folder or address, so that its JSON can be put into an issue.
"""

import importlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import psutil
from packaging.requirements import Requirement
from safetensors import SafetensorError, safe_open

from winnow.pipeline.checkout import check_code_location, checkout_root
from winnow.pipeline.cpu import cpu_warning
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.params import PARAMS_FILE, Document
from winnow.workspace.lockfile import check_lock
from winnow.workspace.validation import read_each_domain

LOCK = Path("requirements.lock")
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
SPACE = 2 * 2**30
"""Bytes that a run of all domains should find free."""
FIRST = 5
SAYS_WHY = "dvc repro check says what is wrong: correct params.yaml"

State = Literal["ok", "note", "missing"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; a `note` is no reason to fail."""

    name: str
    state: State
    found: str
    fix: str = ""

    def line(self) -> str:
        """As text for a terminal."""
        mark = {"ok": "✓", "note": "–", "missing": "✗"}[self.state]
        return f"{mark} {self.name:<12} {self.found}" + (f"\n{'':<15}to do: {self.fix}" if self.fix else "")


def examine() -> list[Check]:
    """All that can be looked at in the working folder, which need not be a checkout."""
    root = checkout_root()
    before = Path.cwd()
    checks = [_python(), *_packages(root), _cpu()]
    try:
        os.chdir(root or before)
        params = _params() if root else {}
        checks.append(_gpu(_device(params)))
        checks.append(_disk())
        if root is None:
            checks.append(Check("checkout", "note", "none here: models can be used with --model", ""))
        else:
            checks += [_code(), _git(), _dvc(), *_remotes(), *_domains()]
    finally:
        os.chdir(before)
    return checks


def as_report(checks: list[Check]) -> dict[str, Any]:
    """What an issue should hold."""
    return {
        "winnow": version("winnow"),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "ok": healthy(checks),
        "checks": [asdict(check) for check in checks],
    }


def healthy(checks: list[Check]) -> bool:
    """Whether nothing that is needed is missing."""
    return all(check.state != "missing" for check in checks)


def _python() -> Check:
    found = platform.python_version()
    if sys.version_info < (3, 11):  # noqa: UP036 - this may be run by any
        return Check("python", "missing", found, "install Python 3.11 or newer; make PYTHON=python3.12 run")
    return Check("python", "ok", found)


def _packages(root: Path | None) -> Iterator[Check]:
    """The packages of a checkout, beside those that are locked."""
    lock = (root or Path()) / LOCK
    if root is None or not lock.is_file():
        return
    pins = re.findall(r"^(\S+==[^\\\n]+)", lock.read_text(encoding="utf-8"), re.MULTILINE)
    needed = [each for each in map(Requirement, pins) if each.marker is None or each.marker.evaluate()]
    missing, other = [], []
    for each in needed:
        try:
            here = version(each.name)
        except PackageNotFoundError:
            missing.append(each.name)
            continue
        if not each.specifier.contains(here, prereleases=True):
            other.append(f"{each.name} {here}, not {str(each.specifier).removeprefix('==')}")
    if missing:
        yield Check("packages", "missing", f"not installed: {_few(missing)}", "make .venv/ready")
    if other:
        yield Check("packages", "note", f"other than locked: {_few(other)}: results may differ", "make .venv/ready")
    if not missing and not other:
        yield Check("packages", "ok", f"{len(needed)} as locked")


def _cpu() -> Check:
    warning = cpu_warning()
    return Check("cpu", "note" if warning else "ok", warning.partition("\n")[0].partition("because ")[2] or "AVX2")


def _gpu(device: str) -> Check:
    try:
        torch = importlib.import_module("torch")
    except ImportError as error:
        return Check("torch", "missing", str(error), "make .venv/ready")
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
        return Check("gpu", "ok", f"{', '.join(names)} (torch {torch.__version__})")
    if torch.backends.mps.is_available():
        return Check("gpu", "ok", f"mps (torch {torch.__version__})")
    if device in {"cuda", "mps"}:
        return Check("gpu", "missing", f"none, and runtime.device is {device}", "set runtime.device to auto or cpu")
    return Check("gpu", "note", f"none: computing on the CPU (torch {torch.__version__})")


def _disk() -> Check:
    free = shutil.disk_usage(".").free
    told = f"{free / 2**30:.1f} GiB free"
    if free < SPACE:
        return Check("disk", "missing", told, "free some space; `dvc gc --workspace` removes results no longer used")
    return Check("disk", "ok", told)


def _code() -> Check:
    try:
        check_code_location()
    except WinnowError as error:
        return Check("checkout", "missing", "`winnow` is another checkout's", error.fix)
    return Check("checkout", "ok", "`winnow` is this checkout's")


def _git() -> Check:
    if shutil.which("git") is None:
        return Check("git", "missing", "not installed", "install git")
    if _output("git", "rev-parse", "--is-inside-work-tree") != "true":
        return Check("git", "missing", "this checkout is no Git repository", "clone it instead of downloading it")
    unset = [name for name in ("user.name", "user.email") if not _output("git", "config", name)]
    if unset:
        fix = " && ".join(f"git config --global {name} …" for name in unset)
        return Check("git", "missing", f"{' and '.join(unset)} not set: experiments cannot be committed", fix)
    return Check("git", "ok", _output("git", "--version").removeprefix("git version "))


def _dvc() -> Check:
    if find_spec("dvc") is None:
        return Check("dvc", "missing", "not installed", "make .venv/ready")
    if not Path(".dvc").is_dir():
        return Check("dvc", "missing", "not initialised", "git checkout .dvc (a clone has it), or dvc init")
    try:
        check_lock()
    except WinnowError as error:
        return Check("dvc", "missing", error.what, error.fix)
    return Check("dvc", "ok", version("dvc"))


def _remotes() -> Iterator[Check]:
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


def _device(params: dict[str, Any]) -> str:
    runtime = params.get("runtime")
    return str(runtime.get("device")) if isinstance(runtime, dict) else "auto"


def _params() -> dict[str, Any]:
    try:
        return dict(Document(PARAMS_FILE).content)
    except WinnowError:
        return {}


def _domains() -> Iterator[Check]:
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
            yield Check(domain, "missing", f"source data are not here: {_few(lost)}", fix)
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
    return _few([problem.partition("` ")[0].replace("`", "") for problem in problems])


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _few(names: list[str]) -> str:
    more = len(names) - FIRST
    return ", ".join(names[:FIRST]) + (f" and {more} more" if more > 0 else "")
