"""What the same bytes on every CPU need of the source code."""

import ast
import json
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

ROOTS = ("sqrt", "sqrt_")


def test_every_optimiser_is_fused() -> None:
    """PyTorch's other implementations take an approximate square root, whose last bit differs between CPU makers."""
    found = 0
    for file in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("torch.optim."):
                found += 1
                options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert options.get("fused") == "True", f"{file.relative_to(ROOT)}:{node.lineno}"
    assert found


def test_no_network_takes_an_approximate_root() -> None:
    """`torch.sqrt` of single precision differs between CPU makers in its last bit; `rsqrt`, or double, does not."""
    roots = []
    for file in sorted((ROOT / "src").rglob("*.py")):
        source = file.read_text()
        for node in ast.walk(ast.parse(source)) if "import torch" in source or "from torch" in source else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ROOTS:
                of = ast.unparse(node.func.value)
                if of not in ("np", "math") and ".double()" not in of:
                    roots.append(f"{file.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}")
    assert not roots


@pytest.mark.parametrize(
    ("machine", "kernels"),
    [
        ("x86_64", {"ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "COMPATIBLE", "OPENBLAS_CORETYPE": "Haswell"}),
        ("aarch64", {}),
        ("arm64", {}),
    ],
)
def test_kernels_of_x86_are_asked_for_on_x86_alone(machine: str, kernels: dict[str, str]) -> None:
    """On others the libraries would warn of names that they do not know; one thread of OpenBLAS is asked for on all."""
    names = ("ATEN_CPU_CAPABILITY", "MKL_CBWR", "OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS")
    program = (
        "import json, os, types; "
        f"os.uname = lambda: types.SimpleNamespace(machine={machine!r}); import stages; "
        f"print(json.dumps({{name: os.environ[name] for name in {names} if name in os.environ}}))"
    )
    environment = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == {**kernels, "OPENBLAS_NUM_THREADS": "1"}
