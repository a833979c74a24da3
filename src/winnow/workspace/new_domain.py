"""A domain of one's own, from the template that tests/pipeline/template holds: a regression on CSV files."""

import importlib
import keyword
import re
from collections.abc import Collection
from pathlib import Path

from winnow.domains.load import domain_names
from winnow.pipeline import presets
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import write_text
from winnow.pipeline.params import PARAMS_FILE, Document

TEMPLATE = Path("tests/pipeline/template")
NAME = "toy"
"""The template's domain; the word stands for nothing else in its files."""
RESERVED = {"common", "code", "source"}
"""What stands in the place of a domain's name elsewhere: a stage's section, and folders of `data`."""


def add_domain(name: str, commands: Collection[str]) -> list[Path]:
    """Write the domain's two folders, its section of params.yaml, its lines of dvc.yaml, and the entry of the tests.

    Gives what was written or changed, in order. Raises WinnowError, before anything is written, when the name is no
    lower-case Python identifier, or is taken: by a domain, by one of the `commands` of `winnow`, by a section of
    params.yaml, by a folder of `data`, or by a module beside the domains.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise WinnowError(f"`{name}` cannot be a domain's name", fix="lower-case letters, digits and _, such as tides")
    targets = {
        "stages": Path("stages", name),
        "domain": Path("src/winnow/domains", name),
        "tiny.yaml": Path("presets", name, "tiny.yaml"),
        "example.py": Path("tests/stages", f"example_{name}.py"),
        "source.md": Path("data/source", name, "README.md"),
    }
    params = Document(PARAMS_FILE).content
    if name in {*commands, *params, *RESERVED} - {*domain_names()}:
        raise WinnowError(f"`{name}` already means something else in commands, params.yaml or data", fix="another name")
    beside = [Path("stages", f"{name}.py"), Path("src/winnow/domains", f"{name}.py")]
    taken = [path for path in (*targets.values(), *beside) if path.exists()]
    if name in domain_names() or taken:
        raise WinnowError(f"the name `{name}` is taken", where=", ".join(map(str, taken)), fix="another name")
    for source, target in targets.items():
        _copy(TEMPLATE / source, target, name)
    models = Path("data/source", name, "models/README.md")
    write_text(models, "Models to start a training from: `train.init_from` names one.\n")
    presets.apply({"domains": [*params["domains"], name]}, PARAMS_FILE)
    write_text(PARAMS_FILE, PARAMS_FILE.read_text(encoding="utf-8") + _filled(TEMPLATE / "params.yaml", name))
    graph = Path("dvc.yaml")
    artifact, plot = _filled(TEMPLATE / "dvc.yaml", name).removeprefix("artifacts:\n").split("\nplots:\n")
    before, after = graph.read_text(encoding="utf-8").split("\nplots:\n")
    write_text(graph, f"{before}{artifact}\nplots:\n{after}{plot}")
    importlib.invalidate_caches()
    return [*targets.values(), models, PARAMS_FILE, graph]


def _copy(source: Path, target: Path, name: str) -> None:
    for file in [source] if source.is_file() else sorted(source.rglob("*.py")):
        write_text(target / file.relative_to(source) if source.is_dir() else target, _filled(file, name))


def _filled(file: Path, name: str) -> str:
    return re.sub(rf"\b{NAME}\b", name, file.read_text(encoding="utf-8"))
