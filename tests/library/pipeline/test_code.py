"""The code that each program depends on: its import closure, and nothing that a closure does not see."""

import ast
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Literal, get_origin

import grimp
import pytest

from tests.conftest import ROOT
from winnow.domains.load import domain_names
from winnow.pipeline import code
from winnow.pipeline.code import import_closure
from winnow.pipeline.digests import PACKAGES, source_digest


def test_the_closure_follows_imports_but_stops_at_params() -> None:
    graph = grimp.ImportGraph()
    for module in ("stages", "stages.a", "stages.a.train", "winnow", "winnow.used", "winnow.deep", "winnow.other"):
        graph.add_module(module)
    for module in ("winnow.domains", "winnow.domains.a", "winnow.domains.a.params", "winnow.settings"):
        graph.add_module(module)
    for importer, imported in (
        ("stages.a.train", "winnow.used"),
        ("winnow.used", "winnow.deep"),
        ("stages.a.train", "winnow.domains.a.params"),
        ("winnow.domains.a.params", "winnow.settings"),
    ):
        graph.add_import(importer=importer, imported=imported)
    assert import_closure(graph, "stages.a.train") == {"stages.a.train", "winnow.used", "winnow.deep"}


def test_every_program_depends_on_the_kernels_that_its_package_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    """`stages/__init__.py` decides the bits of every result; an import of its modules does not name it."""
    monkeypatch.chdir(ROOT)
    found = code.program_digests()
    assert len(found) == 8 * len(domain_names())
    expected = source_digest(Path("stages/__init__.py").read_text(encoding="utf-8"))
    assert {digests["stages"] for digests in found.values()} == {expected}


def test_the_digest_of_a_module_is_of_the_code_that_its_values_depend_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept features were used again after the code that computes them was edited."""

    def digest(edited: str = "") -> str:
        code.module_digest.cache_clear()
        file = PACKAGES["winnow"] / edited
        source = (ROOT / file).read_text() if edited else None
        with monkeypatch.context() as patch:
            patch.setattr(code, "source_digest", lambda text: source_digest(text + "more = 1\n" * (text == source)))
            return code.module_digest("winnow.domains.retina.model.network")

    for own in ("domains/retina/model/network.py", "vision/pooling.py", "vision/lite0.py"):
        assert digest(own) != digest()
    for other in ("domains/documents/model/network.py", "pipeline/errors.py", "vision/heatmaps.py"):
        assert digest(other) == digest()


@pytest.mark.parametrize("domain", domain_names())
def test_no_training_depends_on_how_models_are_judged(domain: str) -> None:
    """Or an edited gate, interval or baseline would train every model again."""
    graph = grimp.build_graph("winnow", "stages", cache_dir=None, exclude_type_checking_imports=True)
    reached = import_closure(graph, f"stages.{domain}.train")
    judging = [name for name in reached if name.startswith(("winnow.judge", f"winnow.domains.{domain}.evaluation"))]
    assert judging == []


SETTINGS = sorted({*ROOT.glob("src/winnow/domains/*/params.py"), *ROOT.glob("src/winnow/*/settings.py")})


@pytest.mark.parametrize("file", SETTINGS, ids=lambda file: file.relative_to(ROOT / "src/winnow").as_posix())
def test_settings_decide_nothing_but_which_values_are_valid(file: Path) -> None:
    """Their code is in no digest, and the values alone are tracked: anything else would change results unnoticed."""
    classes = [node for node in ast.parse(file.read_text()).body if isinstance(node, ast.ClassDef)]
    found = [f"{node.name}.{name}" for node in classes for name in map(_behaviour, node.body) if name]
    if file.parent.name == "learn":
        assert found == ["TrainingSettings.curriculum"], "every train program depends on learn/settings.py itself"
    else:
        assert found == []


def _behaviour(node: ast.stmt) -> str:
    """The name of a class member that is neither a field nor a validator; `subsets` are the valid names of subsets."""
    if isinstance(node, ast.AnnAssign):
        name, field = ast.unparse(node.target), isinstance(node.value, ast.Call) and ast.unparse(node.value.func)
        return "" if name == "subsets" or field == "Field" else name
    if isinstance(node, ast.FunctionDef):
        return "" if any("_validator" in ast.unparse(each) for each in node.decorator_list) else node.name
    return "" if isinstance(node, ast.Expr | ast.Pass) else ast.unparse(node)


def test_programs_take_only_types_from_params() -> None:
    for file in sorted({*ROOT.glob("src/winnow/**/*.py"), *ROOT.glob("stages/**/*.py")}):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("winnow.domains."):
                for name in [each.name for each in node.names if (node.module or "").endswith(".params")]:
                    found = getattr(import_module(node.module or ""), name)
                    is_type = isinstance(found, type | UnionType) or get_origin(found) is Literal
                    assert is_type, f"{file} takes {name} from {node.module}"
