"""What the same bytes on every CPU need of the source code."""

import ast

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
