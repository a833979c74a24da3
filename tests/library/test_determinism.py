"""What the same bytes on every CPU need of the source code."""

import ast

from tests.conftest import ROOT


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
