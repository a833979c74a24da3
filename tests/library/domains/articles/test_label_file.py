"""What `winnow articles label` asks for before it asks an oracle anything."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from winnow.domains.articles.rules.files import check_passed
from winnow.pipeline.errors import WinnowError


@pytest.mark.parametrize(("oracle", "is_told"), [("rules/0.5, 8000 characters", True), ("openai/mine", False)])
def test_whoever_has_set_up_no_oracle_is_told_so_at_once(
    oracle: str, is_told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calibrating `rules` on texts of one's own until it passes would never end."""
    monkeypatch.chdir(tmp_path)
    labeller: Any = SimpleNamespace(prompt="p", judged=oracle, gates="g")
    with pytest.raises(WinnowError, match="has not passed with the oracle") as refused:
        check_passed(labeller, "mine/v1")
    assert refused.value.fix.startswith("run `winnow articles calibrate` until it passes")
    assert ("use scores that you have" in refused.value.fix) == is_told
