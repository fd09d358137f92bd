"""The sections of the settings, each frozen and validated when built.

No TensorFlow is imported here: the command line reads settings before anything heavy. A section crosses TFX's
`custom_config` and execution properties as JSON: `model_dump(mode="json")` on one side, `model_validate` on the other.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Count = Annotated[int, Field(ge=1)]
NonNegative = Annotated[int, Field(ge=0)]

OFFICIAL_URL = "http://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
OFFICIAL_SHA256 = "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe"


class Section(BaseModel):
    """Base of all sections: immutable, no unknown keys, no silent conversion of types."""

    # Tuples are written as lists in TOML and JSON; pydantic's strict mode would refuse them, so they relax it.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class DataSettings(Section):
    """Where reviews come from and how they are split.

    Attributes:
        source: `sample`, `imdb`, or a path or glob that a Beam filesystem can read.
        format: `auto` tells it from the name.
        text_column, label_column, split_column, rating_column: column names of CSV, TSV, JSONL and Parquet sources;
            the last two need not exist.
        positive_labels, negative_labels: label spellings, compared in lower case.
        eval_fraction: share of the training reviews held out as `eval`.
        test_fraction: share of all reviews held out as `test`, where the source has no split of its own.
        max_bytes: longest review kept, in UTF-8 bytes.
        max_bad_fraction: share of unusable rows beyond which a run stops.
        dedupe: drop exact duplicates, and training reviews that also stand in `test`.
        shards: number of files per split.
        sample_train, sample_test, sample_seed: size and seed of the built-in sample.
        download_url, download_sha256: the official archive of source `imdb`.
    """

    source: Annotated[str, Field(min_length=1)] = "sample"
    format: Literal["auto", "acl_imdb", "csv", "tsv", "jsonl", "parquet"] = "auto"
    text_column: str = "text"
    label_column: str = "label"
    split_column: str = "split"
    rating_column: str = "rating"
    positive_labels: Annotated[tuple[str, ...], Field(strict=False)] = ("1", "pos", "positive", "true")
    negative_labels: Annotated[tuple[str, ...], Field(strict=False)] = ("0", "neg", "negative", "false")
    eval_fraction: Fraction = 0.1
    test_fraction: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.2
    max_bytes: Count = 1_000_000
    max_bad_fraction: Annotated[float, Field(ge=0.0, le=1.0)] = 0.01
    dedupe: bool = False
    shards: Count = 4
    sample_train: Count = 2000
    sample_test: Count = 500
    sample_seed: int = 1
    download_url: str = OFFICIAL_URL
    download_sha256: str = OFFICIAL_SHA256


class TransformSettings(Section):
    """Token rules.

    Attributes:
        vocabulary_size: number of token ids, the four special ones included.
        max_tokens: length of `token_ids`.
    """

    vocabulary_size: Annotated[int, Field(ge=5)] = 10_000
    max_tokens: Annotated[int, Field(ge=2)] = 200


class ModelSettings(Section):
    """The network.

    Attributes:
        embedding_dim, gru_units, dense_units: layer sizes.
        softmax: axis over which attention weights sum to 1: `time` (words compete) or `last` (the blog's code).
        pooling: `sum` of the weighted states, or `flatten` (the blog's code).
        mask: keep padding out of the attention.
        embedding_init: what word vectors begin as: `uniform` random numbers (Keras's default), or `cooccurrence`, from
            which words stand near which in the training reviews, see `components.trainer.embedding_init`.
        embedding_std: standard deviation of the latter.
        word_dropout: share of word ids replaced by the out-of-vocabulary id while training.
        embedding_dropout: share of embedding dimensions dropped for a whole review while training.
        dropout: dropout before and after the hidden Dense layer while training.
    """

    embedding_dim: Count = 100
    gru_units: Count = 64
    dense_units: Count = 32
    softmax: Literal["time", "last"] = "time"
    pooling: Literal["sum", "flatten"] = "sum"
    mask: bool = True
    embedding_init: Literal["uniform", "cooccurrence"] = "cooccurrence"
    embedding_std: Annotated[float, Field(gt=0.0)] = 0.3
    word_dropout: Fraction = 0.1
    embedding_dropout: Fraction = 0.3
    dropout: Fraction = 0.5

    @model_validator(mode="after")
    def _pairs_that_train(self) -> "ModelSettings":
        if self.softmax == "time" and self.pooling == "flatten":
            raise ValueError(
                "softmax = 'time' with pooling = 'flatten' does not train (measured: 0.500 test accuracy); "
                "use pooling = 'sum', or softmax = 'last'"
            )
        if self.mask and self.softmax == "last":
            raise ValueError(
                "mask = true with softmax = 'last' has no meaning: those weights do not compete across words; "
                "use mask = false, or softmax = 'time'"
            )
        return self


class TrainingSettings(Section):
    """How both Trainers fit.

    Attributes:
        epochs: most epochs.
        batch_size: reviews a step.
        learning_rate: Adam's, at the start.
        schedule: `constant`, or `cosine`: the learning rate falls to 0 along half a cosine over all `epochs`
            (Loshchilov and Hutter, "SGDR", 2017).
        weight_decay: decoupled from the gradient, per step and relative to the learning rate (the same authors,
            "Decoupled weight decay regularization", 2019); 0 is plain Adam.
        weight_average: momentum of an exponential moving average of the weights, step by step, which is what is
            evaluated and kept, see `components.trainer.weight_averaging`; 0 averages nothing. Where an epoch has
            few steps it is lowered, so that a third of an epoch counts at most.
        patience: epochs without a better `eval` loss before training stops; 0 turns early stopping off and keeps the
            last weights.
        label_smoothing: share of the target moved to the other class while training.
        seed: seeds initial weights, shuffling and dropout.
        device: `auto` takes a GPU where there is one, `gpu` insists on it, `cpu` ignores it.
        mixed_precision: compute in float16 on the GPU.
        tune: search for better values first, as `TuningSettings` say, and train both modes with the best ones.
    """

    epochs: Count = 4
    batch_size: Count = 64
    learning_rate: Annotated[float, Field(gt=0.0)] = 2e-3
    schedule: Literal["constant", "cosine"] = "cosine"
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.001
    weight_average: Fraction = 0.99
    patience: NonNegative = 2
    label_smoothing: Fraction = 0.05
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1  # NumPy takes no larger one
    device: Literal["auto", "gpu", "cpu"] = "auto"
    mixed_precision: bool = False
    tune: bool = False


class TuningSettings(Section):
    """The search for better settings, with `training.tune = true`; it is scored on `eval` alone.

    Attributes:
        trials: number of settings that are tried; the first are those of this run, so that none can do worse.
        mode: whose `eval` log loss is the score; `both` takes the mean, so that the search favours neither.
        epochs: of a trial; 0 takes `training.epochs`. Fewer are quicker, but a shorter schedule wants other values.
        max_reviews: number of training reviews, drawn by `training.seed`; 0 takes all. Fewer are quicker, but want
            more regularisation.
        space: for each `section.key` the values to try, besides the one of this run.
    """

    trials: Count = 10
    mode: Literal["scalar", "vector", "both"] = "both"
    epochs: NonNegative = 0
    max_reviews: NonNegative = 0
    # Of what type a value must be, the setting that it is for says: imdb_core/hyperparameters.py.
    space: dict[str, Annotated[tuple[Any, ...], Field(strict=False)]] = {
        "model.word_dropout": (0.1, 0.2, 0.3),
        "model.embedding_dropout": (0.3, 0.4, 0.5, 0.6),
        "model.dropout": (0.3, 0.4, 0.5, 0.6),
        "training.learning_rate": (1e-3, 1.5e-3, 2e-3, 3e-3),
        "training.weight_decay": (0.0, 1e-3, 4e-3, 1e-2),
        "training.label_smoothing": (0.0, 0.05, 0.1),
        "training.batch_size": (32, 64, 128),
    }

    @model_validator(mode="after")
    def _epochs_are_one_or_the_other(self) -> "TuningSettings":
        if self.epochs and "training.epochs" in self.space:
            raise ValueError(
                f"epochs = {self.epochs} gives all trials the same epochs, and space searches training.epochs; "
                "use epochs = 0, or take training.epochs out of space"
            )
        return self


class EvaluationSettings(Section):
    """What a model must reach to be blessed, and how modes are compared.

    Attributes:
        min_accuracy, min_auc: absolute thresholds on `test`, for every candidate.
        max_log_loss: absolute threshold on `test`; above ln 2 = 0.693 a model is worse than a coin.
        max_accuracy_drop: accuracy that the winner may lose against the last blessed model.
        confidence: of the interval and of the McNemar test that choose the mode.
    """

    min_accuracy: Annotated[float, Field(ge=0.0, le=1.0)] = 0.7
    min_auc: Annotated[float, Field(ge=0.0, le=1.0)] = 0.75
    max_log_loss: Annotated[float, Field(gt=0.0)] = 0.65
    max_accuracy_drop: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95


class ServingSettings(Section):
    """What is pushed, and what a server must show with it first.

    Attributes:
        model_name: folder under `models/`, and the name clients ask for.
        warmup_requests: number of requests that TF Serving replays before a version is available.
        check: who checks the winner before it is pushed: `embedded`, our own server in a process of its own, or
            `infra_validator`, TFX's InfraValidator with the real server, which needs Docker.
        check_reviews: number of `test` reviews that are sent.
        check_timeout: seconds until the server must have loaded the model.
        max_latency_ms: milliseconds that 95 of 100 requests of one review each may take.
    """

    model_name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = "imdb_attention"
    warmup_requests: NonNegative = 4
    check: Literal["embedded", "infra_validator"] = "embedded"
    check_reviews: Count = 64
    check_timeout: Annotated[float, Field(gt=0.0)] = 120.0
    max_latency_ms: Annotated[float, Field(gt=0.0)] = 500.0


class ReportSettings(Section):
    """What the report shows of the modes' attention.

    Attributes:
        attention_reviews: number of `test` reviews whose attention is measured, never fewer than
            `faithfulness_reviews`; 0 takes them all.
        faithfulness_reviews: number of these from which words are taken away, 40 times each; 0 takes them all.
        examples: number of `test` reviews that are shown word by word.
        seed: draws all of these, and the words that are taken away at random.
    """

    attention_reviews: NonNegative = 5000
    faithfulness_reviews: NonNegative = 1000
    examples: NonNegative = 12
    seed: NonNegative = 1


class BeamSettings(Section):
    """Where Beam runs.

    Attributes:
        pipeline_args: arguments of every Beam stage. The default keeps the local in-memory runner on all versions of
            Beam, and keeps TFX from packaging itself for each stage.
    """

    pipeline_args: Annotated[tuple[str, ...], Field(strict=False)] = (
        "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",
        "--sdk_container_image=unused",
    )


class MetadataSettings(Section):
    """The ML Metadata store.

    Attributes:
        backend: `sqlite` keeps it in the workspace; `mysql` and `postgresql` use the rest.
        host, port, database, user: of the server; port 0 is the backend's default.
        password_env: environment variable that holds the password, so that no secret stands in a file.
    """

    backend: Literal["sqlite", "mysql", "postgresql"] = "sqlite"
    host: str = "localhost"
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    database: str = "mlmd"
    user: str = "mlmd"
    password_env: str = "MLMD_PASSWORD"
