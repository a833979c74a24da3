"""Reading params.yaml: every value is checked against its type and bounds, and every error names its line."""

import copy
import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, Field, ValidationError, create_model
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from winnow.pipeline.errors import ParamsError
from winnow.pipeline.reading import reading, reason
from winnow.pipeline.section import Section
from winnow.pipeline.text import shown

PARAMS_FILE = Path("params.yaml")
LONGEST_VALUE = 80
"""Characters of a wrong value in its message."""
MOST_VALUES, DEEPEST = 100_000, 50
"""of one file, after its `*names` are replaced by what they stand for: a page of those can stand for billions"""
AMBIGUOUS = re.compile(r"[-+]?(0[0-9_]+|[0-9][0-9_]*(:[0-5]?[0-9])+)")
"""`017` is 15 in YAML 1.1, 17 in 1.2; `1:30` is 90 or text."""
STAGES = ("ingest", "filter", "label", "split", "weight", "train", "evaluate", "plot")

RENAMED = {
    "accumulation": "gradient_accumulation_steps",
    "als_rounds": "als_iterations",
    "averaging": "ema_decay",
    "clip_norm": "max_grad_norm",
    "curve_routes": "eval_samples",
    "effects_share": "augmentation_share",
    "keep": "keep_last",
    "late_cuts": "min_context_share",
    "sampling": "decoding",
    "start_from": "init_from",
    "test_views": "tta_views",
    "truth_checks": "explanation_checks",
    "validate_steps": "eval_every",
}
"""Keys of earlier versions and what they are called now, for the message."""

Location = tuple[str | int, ...]
S = TypeVar("S", bound=Section)


CLUSTER = r"^(tcp|tls|ws|wss|ray)://[^\s/]+:[0-9]+$"
"""An address of a Dask scheduler or of Ray."""


def _address(text: str) -> str:
    if not re.fullmatch(CLUSTER, text):
        raise ValueError("write tcp://HOST:8786 for a Dask scheduler, ray://HOST:10001 for Ray, null for this machine")
    return text


class Runtime(Section):
    """How to compute, not what: no stage has these among its params, so that a change re-runs nothing."""

    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        description="where to compute; `dvc.lock` is promised for cpu"
    )
    devices: int = Field(ge=1, le=64, description="processes of one training; the global batch stays the same")
    num_workers: int = Field(ge=0, le=256, description="threads that prepare batches ahead; 0 = none; changes no byte")
    progress: Literal["auto", "bar", "lines", "none"] = Field(
        description="auto: a bar on a terminal, in logs a line an epoch"
    )
    cluster: Annotated[str, AfterValidator(_address), Field(json_schema_extra={"pattern": CLUSTER})] | None = Field(
        description="the Dask or Ray cluster that works on rows; null = this machine; changes no byte"
    )


class Document:
    """A YAML file's values, and the file and line of each of its keys."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.places: dict[Location, tuple[Path, int]] = {}
        if not path.exists():
            raise ParamsError(f"{path} does not exist", fix="run the command from the root of the repository")
        try:
            self.text = text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            line = path.read_bytes()[: error.start].count(b"\n") + 1
            raise ParamsError(
                f"{path}:{line}: byte {error.object[error.start]:#04x} is not valid UTF-8",
                fix="save the file with UTF-8 encoding",
            ) from None
        with reading(path, "is not valid YAML", fix="correct the line named above", error=ParamsError):
            # YAML 1.2, as DVC reads it: `1e-05` is a number there
            loader, _ = YAML(typ="safe", pure=True).get_constructor_parser(text)
            root = loader.composer.get_single_node()
            if not isinstance(root, MappingNode):
                raise ParamsError(f"{path} is not a mapping", fix="its top level holds keys, such as `seed: 0`")
            self._note(root, (), loader)
            self.content: dict[str, Any] = loader.construct_document(root)

    def _note(self, node: Node, location: Location, loader: SafeConstructor) -> None:
        self.places[location] = (self.path, node.start_mark.line + 1)
        if len(self.places) > MOST_VALUES or len(location) > DEEPEST:
            raise ParamsError(
                f"{self.path} holds more than {MOST_VALUES:,} values, or is nested {DEEPEST} deep, or refers to itself",
                fix="write values out instead of `*name`, which repeats all that is in them",
            )
        if isinstance(node, MappingNode):
            for key, value in node.value:
                at = f"{self.path}:{key.start_mark.line + 1}"
                if key.tag != "tag:yaml.org,2002:str":
                    written = key.value if isinstance(key, ScalarNode) else "a list or mapping"
                    raise ParamsError(
                        f"the key `{dotted((*location, str(written)))}` is not text",
                        where=at,
                        fix=f'write it in quotes: "{written}"' if isinstance(key, ScalarNode) else "keys are names",
                    )
                inner = (*location, key.value)
                if inner in self.places:
                    raise ParamsError(
                        f"`{dotted(inner)}` is defined twice",
                        where=f"{at} (first on line {self.places[inner][1]})",
                        fix="keep one of them",
                    )
                self._note(value, inner, loader)
                self.places[inner] = (self.path, key.start_mark.line + 1)
        elif isinstance(node, SequenceNode):
            for index, value in enumerate(node.value):
                self._note(value, (*location, index), loader)
        else:
            wanted = "write a plain value; text goes in quotes"
            if isinstance(node, ScalarNode) and not node.style and AMBIGUOUS.fullmatch(node.value):
                raise ParamsError(
                    f"`{dotted(location)}` is `{node.value}`, which is another number in YAML 1.1 than in 1.2",
                    where=self.at(location),
                    fix="write it without leading zeros and colons; text goes in quotes",
                )
            try:
                loader.construct_object(node)
            except Exception as error:  # a day that no month has; a tag of another program
                problem = reason(getattr(error, "problem", None) or error)
                raise ParamsError(
                    f"`{dotted(location)}` is `{node.value[:40]}`: {problem}", where=self.at(location), fix=wanted
                ) from None

    def overlaid(self, other: "Document", at: Location) -> "Document":
        """A copy in which the values of `other`, such as a preset, replace those below `at`."""
        changed = copy.copy(self)
        changed.content = copy.deepcopy(self.content)
        replaced = {(*at, *inner): value for inner, value in leaves(other.content)}
        kept = {
            location: place
            for location, place in self.places.items()
            if not any(location[:end] in replaced for end in range(len(location)))
        }
        changed.places = kept | {(*at, *inner): place for inner, place in other.places.items() if inner}
        for location, value in replaced.items():
            *parents, last = location
            section: dict[Any, Any] = changed.content
            for parent in parents:
                if not isinstance(section.get(parent), dict):
                    section[parent] = {}
                section = section[parent]
            section[last] = value
        return changed

    def section(self, location: Location, model: type[S]) -> S:
        """The section at `location` as `model`; raises ParamsError listing everything wrong with it."""
        value: Any = self.content
        for key in location:
            if not isinstance(value, dict) or key not in value:
                raise ParamsError(
                    f"the section `{dotted(location)}` is missing",
                    where=str(self.path),
                    fix=f"add it, with {', '.join(model.model_fields) or 'an empty mapping {}'}",
                )
            value = value[key]
        try:
            return model.model_validate(value)
        except ValidationError as error:
            raise self._explain(error, location, model) from None

    def _explain(self, error: ValidationError, location: Location, model: type[Section]) -> ParamsError:
        details = error.errors()
        guesses = {
            (*detail["loc"][:-1], guess)
            for detail in details
            if detail["type"] == "extra_forbidden" and (guess := nearest_field(model, detail["loc"]))
        }
        shown = [detail for detail in details if not (detail["type"] == "missing" and detail["loc"] in guesses)]
        lines = [self._describe(detail, location, model) for detail in shown]
        files = sorted({self._place((*location, *detail["loc"]))[0].as_posix() for detail in shown})
        first = Path(files[0]).parts
        told = "`params.schema.json` lists every key, type and bound"
        if first[:2] == ("data", "source"):
            told = f"`{'/'.join(first[:3])}/README.md` describes its keys"
        return ParamsError(lines, fix=f"correct {' and '.join(files)} ({told})")

    def _describe(self, detail: ErrorDetails, location: Location, model: type[Section]) -> str:
        inner = detail["loc"]
        whole = (*location, *inner)
        at = self.at(whole)
        if detail["type"] == "extra_forbidden":
            guess = nearest_field(model, inner)
            if guess and RENAMED.get(str(inner[-1])) == guess:
                hint = f"it is called `{guess}` now"
            elif guess:
                hint = f"did you mean `{guess}`?"
            else:
                hint = f"known here: {', '.join(fields_at(model, inner[:-1]))}"
            return f"{at}: unknown key `{dotted(whole)}`; {hint}"
        description = meaning(model, inner)
        if detail["type"] == "missing":
            return f"{at}: `{dotted(whole)}` is missing ({description})"
        message = detail["msg"].removeprefix("Value error, ")
        is_section = isinstance(detail["input"], Mapping)  # a page long, and its message says what it is about
        aside = f" ({description})" if description and not is_section else ""
        value = "" if is_section else f" is {shown(repr(detail['input']), LONGEST_VALUE)}"
        return f"{at}: `{dotted(whole)}`{value}: {message[0].lower()}{message[1:]}{aside}"

    def at(self, location: Location) -> str:
        """File and line of the key at `location`, or of the section it would belong in: `params.yaml:12`."""
        path, line = self._place(location)
        return f"{path}:{line}"

    def _place(self, location: Location) -> tuple[Path, int]:
        while location not in self.places:
            location = location[:-1]
        return self.places[location]


def leaves(values: Mapping[str, Any], prefix: Location = ()) -> Iterator[tuple[Location, Any]]:
    """The location and value of everything in nested mappings that is not itself a non-empty mapping."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*prefix, key))
        else:
            yield (*prefix, key), value


def dotted(location: Location) -> str:
    """`("climb", "ingest", "sources", 0)` as `climb.ingest.sources[0]`."""
    text = ""
    for key in location:
        text += f"[{key}]" if isinstance(key, int) else f".{key}"
    return text.removeprefix(".")


def nearest_field(model: type[Section], location: Location) -> str | None:
    """The field that the unknown key at the end of `location` was renamed to, or the one most like it, if any."""
    known, renamed = fields_at(model, location[:-1]), RENAMED.get(str(location[-1]))
    if renamed in known:
        return renamed
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    return near[0] if near else None


def fields_at(model: type[Section], location: Location) -> list[str]:
    """The names a section at `location` inside `model` may have."""
    section = _section_at(model, location)
    return list(section.model_fields) if section else []


def meaning(model: type[Section], location: Location) -> str:
    """The one-line description of the field at `location`."""
    section = _section_at(model, location[:-1])
    field = section.model_fields.get(str(location[-1])) if section and location else None
    return (field.description or "") if field else ""


def _section_at(model: type[Section], location: Location) -> type[Section] | None:
    section: type[Section] | None = model
    for key in location:
        if section is None:
            return None
        if isinstance(key, str):
            field = section.model_fields.get(key)
            section = _section_in(field.annotation) if field else None
    return section


def _section_in(annotation: Any) -> type[Section] | None:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section_in(part))), None)


def whole_file(domains: Mapping[str, Any]) -> type[Section]:
    """The model of all of params.yaml, given each domain's own, or `Any` for one that is not looked at."""
    known = tuple(sorted(domains))
    fields: dict[str, Any] = {
        "domains": (
            Annotated[list[Literal[known]], AfterValidator(_distinct)],  # type: ignore[valid-type]
            Field(min_length=1, description="the domains that `dvc repro` runs"),
        ),
        "seed": (int, Field(ge=0, lt=2**63, description="of data and splits; each training has its own seed")),
        "runtime": (Runtime, Field(description="how to compute; a change re-runs nothing")),
    }
    for name in known:
        fields[name] = (domains[name], Field(description=f"the domain {name}"))
    return create_model("ParamsFile", __base__=Section, **fields)


def _distinct(domains: list[str]) -> list[str]:
    repeated = sorted({name for name in domains if domains.count(name) > 1})
    if repeated:
        raise ValueError(f"{', '.join(repeated)} is listed more than once")
    return domains
