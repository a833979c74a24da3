"""params.yaml is read whole, and every mistake is reported with its line, its value and what was expected."""

from pathlib import Path
from typing import Literal, Self

import pytest
from dvc.utils.serialize import load_yaml
from pydantic import Field, model_validator

from winnow.pipeline.errors import ParamsError
from winnow.pipeline.params import Document
from winnow.pipeline.section import Float, Section


class Source(Section):
    format: Literal["web", "app"] = Field(description="schema of the file")
    path: str = Field(description="where it is")


class Train(Section):
    epochs: int = Field(ge=1, description="passes over the training rows")
    learning_rate: Float = Field(gt=0, lt=1, description="step size")
    sources: list[Source] = Field(description="files")


GOOD = "train:\n  epochs: 5\n  learning_rate: 2e-05\n  sources:\n  - format: web\n    path: a.json\n"


def section(tmp_path: Path, text: str) -> Train:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return Document(path).section(("train",), Train)


def test_the_text_that_dvc_writes_for_a_small_float_is_a_float(tmp_path: Path) -> None:
    assert section(tmp_path, GOOD).learning_rate == 2e-5


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("epochs: 5", "epohcs: 5", r"params.yaml:2: unknown key `train.epohcs`; did you mean `epochs`\?"),
        (
            "epochs: 5",
            "epochs: 5\n  zzz: 1",
            r"params.yaml:3: unknown key `train.zzz`; known here: epochs, learning_rate",
        ),
        (
            "epochs: 5",
            "epochs: ten",
            r"params.yaml:2: `train.epochs` is 'ten': input should be a valid integer \(passes",
        ),
        ("epochs: 5", "epochs: 0", r"params.yaml:2: `train.epochs` is 0: input should be greater than or equal to 1"),
        ("epochs: 5", "epochs: 1.5", "`train.epochs` is 1.5: input should be a valid integer"),
        ("epochs: 5", "epochs: true", "`train.epochs` is True: input should be a valid integer"),
        ("  epochs: 5\n", "", r"params.yaml:1: `train.epochs` is missing \(passes over the training rows\)"),
        ("2e-05", "two", "params.yaml:3: `train.learning_rate` is 'two': input should be a valid number"),
        ("2e-05", ".nan", "`train.learning_rate` is nan: input should be"),
        (
            "format: web",
            "format: wbe",
            r"params.yaml:5: `train.sources\[0\].format` is 'wbe': input should be 'web' or 'app'",
        ),
        ("format: web", "formt: web", r"params.yaml:5: unknown key `train.sources\[0\].formt`; did you mean `format`"),
        ("train:", "tarin:", "the section `train` is missing"),
        (
            "epochs: 5",
            "epochs: 5\n  epochs: 6",
            r"`train.epochs` is defined twice\n  where: .*params.yaml:3 \(first on line 2\)",
        ),
        ("epochs: 5", "epochs: [5", "is not valid YAML"),
    ],
)
def test_a_mistake_is_reported_once_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ParamsError, match=message) as caught:
        section(tmp_path, GOOD.replace(old, new))
    assert str(caught.value).count("`train.epochs` is missing") <= 1


def test_a_typo_is_not_reported_a_second_time_as_a_missing_key(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="did you mean") as caught:
        section(tmp_path, GOOD.replace("epochs", "epohcs"))
    assert "is missing" not in str(caught.value)


class Range(Section):
    low: int = Field(description="the lower end")
    high: int = Field(description="the upper end")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low ({self.low}) is above high ({self.high})")
        return self


class Ranged(Section):
    range: Range = Field(description="what is kept")


def test_what_is_wrong_with_a_section_as_a_whole_stands_without_the_sections_meaning(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("filter:\n  range:\n    low: 3\n    high: 2\n")
    with pytest.raises(ParamsError) as caught:
        Document(path).section(("filter",), Ranged)
    assert "`filter.range`: low (3) is above high (2)\n" in f"{caught.value}\n"
    assert "what is kept" not in str(caught.value)


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="`train.epochs` is 0") as caught:
        section(tmp_path, GOOD.replace("epochs: 5", "epochs: 0").replace("2e-05", "3"))
    assert "`train.learning_rate` is 3" in str(caught.value)


def test_places_are_told_by_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("# a comment\nseed: 1\ntrain:\n  epochs: 5\n")
    document = Document(path)
    assert [document.at(place) for place in ((), ("seed",), ("train",), ("train", "epochs"), ("train", "other"))] == [
        f"{path}:{line}" for line in (2, 2, 3, 4, 3)
    ]


def test_a_missing_file_is_one_clear_message(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="does not exist"):
        Document(tmp_path / "params.yaml")


def test_values_are_read_as_dvc_reads_them(tmp_path: Path) -> None:
    """Or `winnow status` would call a lock stale that is current: YAML 1.1 takes `1e-05` for text."""
    odd = ("1e-05", "2E-5", "0o17", "0x1f", "yes", "off", "~", "1_000", "+3", ".5", "'1'")
    file = tmp_path / "params.yaml"
    file.write_text("".join(f"k{number}: {value}\n" for number, value in enumerate(odd)))
    found, expected = Document(file).content, load_yaml(str(file))
    assert [(value, type(value)) for value in found.values()] == [(value, type(value)) for value in expected.values()]
    assert found["k0"] == 0.00001


@pytest.mark.parametrize("value", ["1:30", "12:30:45", "017", "-0_1"])
def test_numbers_that_yaml_11_and_12_read_differently_are_refused(value: str, tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(f"seed: 0\na: {value}\n")
    with pytest.raises(ParamsError, match=rf"`a` is `{value}`.*\n  where: .*params.yaml:2"):
        Document(file)
    file.write_text(f"a: '{value}'\n")
    assert Document(file).content == {"a": value}


def test_a_page_of_references_is_no_bomb(tmp_path: Path) -> None:
    """Each line stands for ten of the line before: a billion values in ten lines."""
    file = tmp_path / "params.yaml"
    lines = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    file.write_text("\n".join(lines))
    with pytest.raises(ParamsError, match="params.yaml holds more than 100,000 values"):
        Document(file)
    for deep in ("[" * 100_000, "a: " + "{a: " * 100_000):
        file.write_text(deep)
        with pytest.raises(ParamsError, match="params.yaml is not valid YAML: it is nested too deeply"):
            Document(file)
