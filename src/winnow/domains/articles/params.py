"""The section `articles` of params.yaml."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, HttpUrl, TypeAdapter, model_validator

from winnow.curate.settings import SourceFiles, SourcePath, StratifiedSplit
from winnow.domains.articles.rules.addresses import is_loopback
from winnow.domains.articles.rules.bounds import HIGHER_IS_BETTER
from winnow.judge.settings import Judging
from winnow.learn.settings import TrainingSettings
from winnow.pipeline.section import Float, Section
from winnow.show.settings import Drawing

MODELS = "data/source/articles/models/"


class Common(Section):
    """What several stages share."""

    definition: str = Field(
        pattern=r"^[a-z][a-z0-9_]*/v[1-9][0-9]*$", description="the filter: <name>/v<N> in data/source/articles/filters"
    )


class Source(SourcePath):
    """One file of the user's articles."""

    format: Literal["jsonl", "parquet", "csv", "scored"] = Field(
        description="format of the file; scored: JSONL with scores; csv: with a column of each score, if it has any"
    )
    path: str = Field(min_length=1, description="data/source/articles/<file>.jsonl, .csv (.gz) or .parquet")


class Synthetic(Section):
    """The embedded data, written when no source is named."""

    articles: int = Field(ge=100, le=1_000_000, description="number of articles")
    on_topic_share: Float = Field(gt=0, lt=1, description="share of articles about the filter's topic")
    edge_share: Float = Field(ge=0, lt=1, description="share of articles that only touch the topic")
    duplicate_share: Float = Field(ge=0, le=0.5, description="share that repeats another article with small changes")
    human_share: Float = Field(ge=0, le=1, description="share of articles that also carry scores given by people")

    @model_validator(mode="after")
    def _shares(self) -> Self:
        if self.on_topic_share + self.edge_share >= 1:
            raise ValueError("on_topic_share and edge_share sum to 1 or more: no article is off-topic")
        return self


class Ingest(SourceFiles[Source]):
    """Where the articles come from."""

    synthetic: Synthetic = Field(description="the embedded data")


class Filter(Section):
    """Duplicates; the prefilter's rules are in the filter's folder."""

    near_duplicate: Float = Field(gt=0, lt=1, description="Jaccard similarity of word triples from which two match")
    permutations: int = Field(ge=16, le=1024, description="MinHash permutations: more are more exact, and slower")
    duplicates: Literal["drop", "keep", "exact"] = Field(
        description="near-duplicates: keep the first alone, or all in one split; exact: look for none, much faster"
    )


class Bound(Section):
    """What a calibration figure must reach."""

    target: Float = Field(description="value that passes")
    review: Float = Field(description="value that needs a review; a value worse than this fails")


class Gates(Section):
    """Targets of the calibration report. Shifts, errors and differences are shares of the scale's width."""

    parse_failures: Bound = Field(description="share of answers that broke the schema at the first attempt")
    separation: Bound = Field(description="mean overall score of on-topic articles minus that of off-topic ones")
    off_topic_high: Bound = Field(description="share of off-topic articles above the middle; the worst dimension's")
    extreme_scores: Bound = Field(description="share of the scores of on-topic articles that are an end of the scale")
    dead_dimensions: Bound = Field(description="dimensions that hardly vary over the sample")
    duplicate_dimensions: Bound = Field(description="pairs of dimensions of which one repeats the other")
    repeat_difference: Bound = Field(description="mean difference of scores when the same is asked twice")
    order_shift: Bound = Field(description="mean difference when the dimensions are listed in reverse order")
    length_shift: Bound = Field(description="mean change of scores when an article's text stands there twice")
    injection_shift: Bound = Field(description="mean rise of off-topic scores by a sentence that demands the top score")
    human_correlation: Bound = Field(description="lowest correlation of a dimension with human scores")
    human_offset: Bound = Field(description="largest constant offset of a dimension from human scores")


class Calibration(Section):
    """The two small samples that are labelled before anything is spent on the rest."""

    on_topic: int = Field(ge=5, le=10_000, description="on-topic articles of a sample")
    off_topic: int = Field(ge=5, le=10_000, description="off-topic articles of a sample")
    edge: int = Field(ge=0, le=10_000, description="edge cases of a sample")
    seed: int = Field(ge=0, lt=2**32, description="of the calibration sample")
    validation_seed: int = Field(ge=0, lt=2**32, description="of the validation sample")
    probes: int = Field(ge=2, le=1000, description="articles asked again: twice, reversed, doubled, with an injection")
    tolerance: Float = Field(
        gt=0, le=1, description="share of the scale by which separation may be worse on the validation sample"
    )
    gates: Gates = Field(description="targets of the calibration report")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in Gates.model_fields:
            bound = getattr(self.gates, name)
            side, is_ordered = ("above", bound.target <= bound.review)
            if name in HIGHER_IS_BETTER:
                side, is_ordered = ("below", bound.target >= bound.review)
            if not is_ordered:
                raise ValueError(f"gates.{name}: target ({bound.target:g}) is {side} review ({bound.review:g})")
        return self

    @model_validator(mode="after")
    def _fresh(self) -> Self:
        if self.seed == self.validation_seed:
            raise ValueError(f"seed and validation_seed are both {self.seed}: a fresh sample needs another one")
        return self


class Prices(Section):
    """What the provider charges, in US dollars per million tokens."""

    model: str = Field(min_length=1, description="the model that these prices are for; another one is refused")
    prompt: Float = Field(ge=0, description="tokens sent")
    cached: Float = Field(ge=0, description="tokens sent that the server has in its cache")
    completion: Float = Field(ge=0, description="tokens of the answer")
    thinking: Float = Field(ge=0, description="tokens of reasoning, which the answer does not show")
    batch_share: Float = Field(gt=0, le=1, description="share of these prices that the Batch API takes")


class BatchApi(Section):
    """OpenAI's Batch API: a file of requests that is answered within a day, at a lower price."""

    enabled: bool = Field(description="openai: label through it; calibration asks directly")
    max_requests: int = Field(ge=1, le=50_000, description="requests of a batch; the brake looks between two batches")
    poll_interval: Float = Field(gt=0, le=3600, description="seconds from one look at a batch to the next")


def _address(url: str) -> str:
    """Raises a validation error when it is no address; as it was given else, since answers are kept under it."""
    found = TypeAdapter(HttpUrl).validate_python(url)
    if found.username or found.password or found.query or found.fragment:
        raise ValueError("an address with a user, a password, a query or a fragment: reports would show it")
    return url


OWN_FIELDS = frozenset({
    "max_completion_tokens", "max_tokens", "messages", "model", "n", "reasoning_effort", "response_format", "stream",
    "temperature",
})  # fmt: skip
"""Fields of a request that `extra_body` cannot hold."""


class Oracle(Section):
    """Who labels. A key is read from the environment alone: WINNOW_ORACLE_KEY, or OPENAI_API_KEY."""

    provider: Literal["rules", "openai"] = Field(description="keyword rules (embedded), or an OpenAI-compatible server")
    model: str = Field(min_length=1, description="the server's name of the model; for rules any name")
    base_url: Annotated[str, AfterValidator(_address)] = Field(
        pattern=r"^https?://", description="openai: the server's address, ending in /v1 as a rule"
    )
    allow_plain_http: bool = Field(description="send the key and the articles unencrypted to another machine")
    temperature: Float | None = Field(ge=0, le=2, description="openai: sampling temperature; null: not sent")
    max_tokens: int = Field(ge=16, le=1_000_000, description="openai: most tokens of an answer, reasoning included")
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = Field(
        description="openai: what the server calls it; OpenAI's reasoning models want max_completion_tokens"
    )
    thinking_tokens: int = Field(
        ge=0, le=1_000_000, description="openai: most tokens of reasoning that max_tokens does not limit"
    )
    reasoning_effort: str | None = Field(description="openai: such as low; null: not sent")
    answer_format: Literal["json_schema", "json_object", "text"] = Field(
        description="openai: response_format; json_schema makes the server keep to the dimensions, text sends none"
    )
    extra_body: dict[str, Any] = Field(description="openai: further fields of the request, such as top_p: 0.9")
    rationale: bool = Field(description="an answer begins with its reasons, in a sentence or two")
    answers: int = Field(ge=1, le=100, description="answers about an article; their mean is its score")
    max_characters: int = Field(ge=100, le=10_000_000, description="of an article that are sent; the rest is cut off")
    concurrency: int = Field(ge=1, le=1024, description="openai: requests at the same time")
    timeout: Float = Field(gt=0, le=3600, description="openai: seconds to wait for an answer")
    retries: int = Field(ge=0, le=100, description="openai: further tries after a refusal, a time-out or a lost line")
    parse_retries: int = Field(ge=0, le=10, description="further tries after an answer that breaks the schema (paid)")
    noise: Float = Field(ge=0, le=10, description="rules: standard deviation of the noise of a score, in points")
    prices: Prices = Field(description="openai: US dollars per million tokens")
    batch_api: BatchApi = Field(description="openai: half the price, within a day")

    @model_validator(mode="after")
    def _extra(self) -> Self:
        if own := sorted(OWN_FIELDS & self.extra_body.keys()):
            raise ValueError(f"extra_body holds {', '.join(own)}: use the setting of that name; `n` and `stream` would "
                             "change what is paid and how an answer is read")  # fmt: skip
        return self

    @model_validator(mode="after")
    def _server(self) -> Self:
        if self.provider != "openai":
            return self
        if self.prices.model != self.model:
            raise ValueError(f"prices are those of {self.prices.model}, and model is {self.model}: set prices, and "
                             f"prices.model: {self.model} (a server of your own costs 0)")  # fmt: skip
        if self.base_url.startswith("http:") and not (is_loopback(self.base_url) or self.allow_plain_http):
            raise ValueError("base_url is plain http beyond this machine: use https, or set allow_plain_http: true")
        return self


class Label(Section):
    use_scores: bool = Field(description="articles whose source scores all dimensions keep those scores, for nothing")
    batch_size: int = Field(
        ge=1, le=100_000, description="articles from one line of progress to the next; unit of max_batches"
    )
    max_batches: int = Field(ge=0, description="batches to label in this run; 0 = all")
    max_cost_usd: Float = Field(ge=0, description="most that the answers to this stage's questions may cost")
    max_unlabelled_share: Float = Field(
        ge=0, le=1, description="most of the articles asked about that may stay without scores; more stop the stage"
    )
    calibration: Calibration = Field(description="the gate before batch labelling")
    oracle: Oracle = Field(description="who labels")


class Split(StratifiedSplit):
    """Strata are tiers; a group is near-duplicates."""

    by_source: bool = Field(description="also keep all articles of a source in one split")
    keep_official: bool = Field(description="keep a source's own split; other articles, or its train, fill what lacks")


class Weight(Section):
    """How often each training article is drawn."""

    method: Literal["none", "tier", "density"] = Field(description="equally; each tier alike; rare overall scores more")
    max_ratio: Float = Field(ge=1, description="how much more often than the least drawn an article is drawn at most")


class Lora(Section):
    """Low-rank adapters (Hu et al. 2021) through peft: the base model stays frozen."""

    rank: int = Field(ge=0, le=1024, description="rank of the adapters; 0 = train the whole model")
    alpha: int = Field(ge=1, description="scale of the adapters, relative to their rank")
    dropout: Float = Field(ge=0, lt=1, description="dropout probability of the adapters' input")
    base_dtype: Literal["fp32", "bf16", "nf4"] = Field(
        description="weights of the frozen base model: 32, 16, or 4 bits (extra `quantized`)"
    )

    @model_validator(mode="after")
    def _frozen(self) -> Self:
        if not self.rank and self.base_dtype != "fp32":
            raise ValueError(f"base_dtype {self.base_dtype} is for a frozen base model: set a rank, or fp32")
        return self


class Tiny(Section):
    """The model `tiny`: a small Qwen2 with random weights, and a byte-level BPE of the training texts."""

    vocabulary: int = Field(ge=300, le=100_000, description="tokens")
    width: int = Field(ge=8, le=4096, description="dimensions of a token's vector; a multiple of heads")
    layers: int = Field(ge=1, le=64, description="transformer blocks")
    heads: int = Field(ge=1, le=64, description="attention heads of a block")

    @model_validator(mode="after")
    def _even(self) -> Self:
        if self.width % (2 * self.heads):
            raise ValueError(f"width ({self.width}) is not a multiple of 2 × heads ({self.heads})")
        return self


class Network(Section):
    pooling: Literal["mean", "last"] = Field(description="mean of the token vectors, or the last token's")
    dropout: Float = Field(ge=0, lt=1, description="dropout probability of the pooled vector in training")
    length_feature: bool = Field(description="give the head the logarithm of the article's words as well")
    head_lr_factor: Float = Field(gt=0, le=1000, description="learning rate of the head, relative to learning_rate")
    tiny: Tiny = Field(description="size of model_name tiny")


class Train(TrainingSettings):
    """Training the scorer."""

    model_name: Annotated[str, Field(min_length=1)] = Field(
        description=f"tiny, minilm (extra `pretrained`), a name on the Hugging Face hub, or a folder in {MODELS}"
    )
    model_revision: str | None = Field(
        pattern=r"^[0-9a-f]{40}$", description="commit of a model on the hub, 40 hex digits; null for any other model"
    )
    max_length: int = Field(ge=8, le=131_072, description="most tokens of an article; the rest is cut off")
    loss: Literal["mse", "huber"] = Field(description="squared error, or Huber's")
    huber_delta: Float = Field(gt=0, description="huber: error in points beyond which it counts linearly")
    gradient_checkpointing: bool = Field(description="compute activations twice, to save memory")
    sharded: bool = Field(
        description="with several devices: shard weights and optimiser state (FSDP); else each holds all (DDP)"
    )
    lora: Lora = Field(description="low-rank adapters")
    network: Network = Field(description="what is added to the language model")
    ridge_shares: list[Annotated[Float, Field(ge=0, le=1)]] = Field(
        description="shares of ridge on TF-IDF in the scores, one is chosen on validation; empty: the network alone"
    )
    ridge_alphas: list[Float] = Field(min_length=1, description="its penalties, one is chosen on validation")
    ridge_features: int = Field(ge=100, le=10_000_000, description="its most words, and most character groups")

    @model_validator(mode="after")
    def _shareable(self) -> Self:
        if self.sharded and self.precision == "fp16":
            raise ValueError("a sharded model cannot train in fp16: choose bf16 or fp32")
        return self

    @model_validator(mode="after")
    def _tracked(self) -> Self:
        is_path = self.model_name.startswith((".", "/", "~", "data/"))
        if is_path and not self.model_name.startswith(MODELS):
            raise ValueError(f"model_name {self.model_name} is not below {MODELS}, where DVC would see it change")
        is_on_hub = "/" in self.model_name and not is_path
        if is_on_hub and self.model_revision is None:
            raise ValueError(f"model_revision is needed for {self.model_name}: the commit that the hub's page shows, "
                             "since a name alone may mean other weights tomorrow")  # fmt: skip
        if not is_on_hub and self.model_revision is not None:
            raise ValueError(f"model_revision is for a model on the hub, and {self.model_name} is none: set it to null")
        if self.model_name == "tiny" and self.lora.base_dtype == "nf4":
            raise ValueError("lora.base_dtype nf4 is for pretrained weights, and tiny has none")
        return self


class Evaluate(Judging):
    batch_size: int = Field(ge=1, description="articles per batch; affects memory only")
    train_rows: int = Field(ge=1, description="training articles that are scored too, to see overfitting")
    worst: int = Field(ge=1, le=1000, description="worst cases in the report")
    ridge_alphas: list[Float] = Field(min_length=1, description="TF-IDF + ridge: penalties, chosen on validation")
    ridge_features: int = Field(
        ge=100, le=10_000_000, description="TF-IDF + ridge: most words, and most character groups"
    )


class Plot(Drawing):
    """No settings besides the resolution."""


class Params(Section):
    """All of `articles`."""

    common: Common = Field(description="what several stages share")
    ingest: Ingest = Field(description="reading articles from files, or the embedded data")
    filter: Filter = Field(description="prefilter and duplicates")
    label: Label = Field(description="calibrating the oracle's prompt, and labelling")
    split: Split = Field(description="train, validation and test")
    weight: Weight = Field(description="how often each training article is drawn")
    train: Train = Field(description="the model and its training")
    evaluate: Evaluate = Field(description="how the model is judged")
    plot: Plot = Field(description="the pictures")
