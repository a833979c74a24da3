"""The settings of a training; a domain's `Train` section inherits from `Training`. Does not import torch."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from winnow.measure.direction import higher_is_better
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.section import Float, ModelPath, Section

NAMED_VALUES = ("epochs", "learning_rate", "batch_size", "precision", "seed")
"""Values of a training that a reader asks for first."""


class Scheduler(Section):
    """The learning rate within a phase; options of schedulers other than `name` are not used."""

    name: Literal["constant", "cosine", "cosine_warm_restarts", "plateau"] = Field(description="shape")
    warmup: Float = Field(ge=0, description="linear rise from 0: below 1 a share of the phase's steps, else steps")
    period: int = Field(ge=1, description="cosine_warm_restarts: epochs from one restart to the next")
    factor: Float = Field(gt=0, lt=1, description="plateau: the learning rate is multiplied by this")
    patience: int = Field(ge=0, description="plateau: validations without a better metric before it")
    minimum: Float = Field(ge=0, description="cosine and plateau: lowest learning rate")


class EarlyStopping(Section):
    """Which validation metric is watched: for the best weights, for the plateau scheduler, and for stopping early."""

    metric: str = Field(min_length=1, description="name of a validation metric; it implies whether higher is better")
    patience: int = Field(ge=0, description="validations without a gain after which a phase ends; 0 = never")
    min_delta: Float = Field(ge=0, description="a gain is more than this, in the metric's unit")

    @field_validator("metric")
    @classmethod
    def _directed(cls, metric: str) -> str:
        try:
            higher_is_better(metric)
        except WinnowError as error:
            raise ValueError(f"{error.what}; {error.fix}") from None
        return metric


class Phase(Section):
    """One part of a curriculum."""

    subset: str = Field(min_length=1, description="rows to train and validate on")
    epochs: int = Field(ge=1, le=100_000, description="maximum number of passes (early stopping may end it before)")
    learning_rate: Float = Field(gt=0, description="highest learning rate")


class TrainingSettings(Section):
    """A training's values, the same for every domain; a domain whose `subsets` are others names them."""

    subsets: ClassVar[tuple[str, ...]] = ("all",)

    subset: str = Field(min_length=1, description="rows to train and validate on, when `phases` is empty")
    epochs: int = Field(ge=1, le=100_000, description="maximum number of passes, when `phases` is empty")
    learning_rate: Float = Field(gt=0, description="highest learning rate, when `phases` is empty")
    phases: list[Phase] = Field(description="a curriculum, in order, in place of subset, epochs and learning_rate")
    weight_decay: Float = Field(
        ge=0, description="AdamW's decoupled weight decay; biases, norms and embeddings of one dimension do not decay"
    )
    batch_size: int = Field(ge=1, description="rows of one optimiser step, all devices and micro-batches together")
    gradient_accumulation_steps: int = Field(
        ge=1, description="micro-batches a device cuts its part of a batch into, to save memory"
    )
    max_grad_norm: Float = Field(ge=0, description="gradients are scaled down to this norm; 0 = never")
    precision: Literal["fp32", "fp16", "bf16"] = Field(description="of the forward and backward pass; fp16 needs a GPU")
    threads: int = Field(ge=1, le=256, description="torch's threads; part of the result (the order of sums)")
    seed: int = Field(ge=0, lt=2**32, description="of initial weights, row order and dropout (data have their own)")
    checkpoint_every: int = Field(ge=0, description="epochs between the checkpoints epoch_NNNN; 0 = none")
    checkpoint_steps: int = Field(ge=0, description="steps between resumable states within an epoch; 0 = none")
    keep_last: int = Field(ge=1, description="number of most recent checkpoints epoch_NNNN that are kept")
    eval_every: int = Field(ge=0, description="steps between validations; 0 = at the end of each epoch only")
    ema_decay: Float = Field(
        ge=0, lt=1, description="decay of the weights' moving average over steps, which is validated and kept; 0 = none"
    )
    select: Literal["best", "last"] = Field(description="validation whose weights are the model and start a next phase")
    early_stopping: EarlyStopping = Field(description="the watched metric, and when a phase ends before its epochs")
    scheduler: Scheduler = Field(description="learning rate schedule")
    init_from: Annotated[str | None, ModelPath()] = Field(
        description="checkpoint or model in data/source/<domain>/models/ to start from; null = none"
    )

    @model_validator(mode="after")
    def _known_subsets(self) -> Self:
        for phase in self.curriculum:
            if phase.subset not in self.subsets:
                raise ValueError(f"there is no subset {phase.subset!r}; known: {', '.join(self.subsets)}")
        return self

    @property
    def curriculum(self) -> list[Phase]:
        """The phases, in order: one made from the plain fields when none is listed."""
        plain = Phase(subset=self.subset, epochs=self.epochs, learning_rate=self.learning_rate)
        return self.phases or [plain]


def told_values(values: Mapping[str, Any]) -> list[str]:
    """What a model's README and card tell of a training: its phases, in place of what they replace, and the rest."""
    phases = values.get("phases") or []
    replaced = Phase.model_fields if phases else ()
    named = [name for name in NAMED_VALUES if name in values and name not in replaced]
    rest = ", ".join(f"{name.replace('_', ' ')} {values[name]}" for name in named)
    lines = [
        f"phase {number}: {each['subset']}, at most {each['epochs']} epochs, learning rate {each['learning_rate']}"
        for number, each in enumerate(phases, 1)
    ]
    return [*lines, *([rest] if rest else [])]
