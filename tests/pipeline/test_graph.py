"""dvc.yaml tells the truth: each stage depends on the code it imports, and on no other."""

from functools import cache
from pathlib import Path

import grimp
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())
DOMAINS = yaml.safe_load((ROOT / "params.yaml").read_text())["domains"]
STAGES = [name for name in PIPELINE["stages"] if name != "check"]


@cache
def imports() -> grimp.ImportGraph:
    return grimp.build_graph("winnow", "stages", cache_dir=None)


def file_of(module: str) -> Path:
    base = (ROOT / "src" if module.startswith("winnow") else ROOT) / module.replace(".", "/")
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def is_params(module: str) -> bool:
    return module.startswith("winnow.domains.") and module.endswith(".params")


def closure(*programs: str) -> set[Path]:
    """Files a program imports, directly or not. params.py holds no behaviour: its values are tracked as params."""
    seen: set[str] = set()
    waiting = list(programs)
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            waiting += [found for found in imports().find_modules_directly_imported_by(module) if not is_params(found)]
    return {path for module in seen if (path := file_of(module)).name != "__init__.py"}


def code_deps(stage: str, domain: str) -> list[Path]:
    deps = [dep.replace("${item.domain}", domain) for dep in PIPELINE["stages"][stage]["deps"]]
    return [ROOT / dep for dep in deps if dep.startswith(("src/", "stages/"))]


def within(file: Path, dep: Path) -> bool:
    return file == dep or dep in file.parents


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_all_the_code_it_imports(stage: str, domain: str) -> None:
    deps = code_deps(stage, domain)
    outside = [file for file in closure(f"stages.{domain}.{stage}") if not any(within(file, dep) for dep in deps)]
    assert not outside, f"add to {stage}'s deps in dvc.yaml: {[str(file.relative_to(ROOT)) for file in outside]}"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_no_code_that_no_domain_imports(stage: str) -> None:
    unused = []
    for index in range(len(code_deps(stage, "x"))):
        per_domain = [(code_deps(stage, domain)[index], closure(f"stages.{domain}.{stage}")) for domain in DOMAINS]
        if not any(within(file, dep) for dep, files in per_domain for file in files):
            unused.append(PIPELINE["stages"][stage]["deps"][index])
    assert not unused, f"{stage} depends on code that its programs do not import: {unused}"


def test_check_depends_on_all_that_validates() -> None:
    deps = [ROOT / dep for dep in PIPELINE["stages"]["check"]["deps"]]
    needed = closure("stages.check", *(f"winnow.domains.{domain}.params" for domain in DOMAINS))
    definitions = {file for file in needed if file.name == "definitions.py"}
    outside = [file for file in needed - definitions if not any(within(file, dep) for dep in deps)]
    assert not outside, f"add to check's deps in dvc.yaml: {[str(file.relative_to(ROOT)) for file in outside]}"


def test_package_files_are_empty() -> None:
    for file in [*ROOT.glob("src/winnow/**/__init__.py"), *ROOT.glob("stages/**/__init__.py")]:
        assert file.read_text() == "", f"{file.relative_to(ROOT)} holds code that no stage could depend on"


def test_no_stage_names_runtime() -> None:
    assert "runtime" not in str([stage.get("params", []) for stage in PIPELINE["stages"].values()])
