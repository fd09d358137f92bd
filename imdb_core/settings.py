"""The sections of the settings. Each is immutable, and validated when it is built.

This module does not import TensorFlow: the command line reads settings before it imports anything slow. A section
passes through TFX's `custom_config` and execution properties as JSON: written by `model_dump(mode="json")`, read by
`model_validate`.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    model_validator,
)

from imdb_core.file_names import DEFAULT_MODEL
from imdb_core.spelling import spelling

AtLeastOne = Annotated[int, Field(ge=1)]
# Less than 1: a dropout rate of 1, for instance, would leave nothing.
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]

# In TOML and in `--set`, `2` is a number and `no` a text.
_Column = Annotated[
    str, Field(min_length=1), BeforeValidator(lambda given: str(given) if type(given) is int else given)
]
_YesOrNo = Annotated[
    Literal["auto", "yes", "no"],
    BeforeValidator(lambda given: ("no", "yes")[given] if isinstance(given, bool) else given),
]

OFFICIAL_URL = "http://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
OFFICIAL_SHA256 = "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe"


class Section(BaseModel):
    """Base of all sections: immutable, without unknown keys, and without silent conversion of types."""

    # TOML and JSON write tuples as lists, which strict mode refuses, so fields that are tuples set `strict=False`.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Contradictions = Literal["keep", "drop", "stop"]


def _spelled(given: Any) -> Any:
    """Takes numbers among labels for their spellings: stars are numbers in TOML and in `--set`."""
    if not isinstance(given, list | tuple):
        return given
    return [str(one) if type(one) in (int, float) else one for one in given]


_Labels = Annotated[tuple[str, ...], Field(strict=False), BeforeValidator(_spelled)]


class TableSettings(Section):
    """How files of reviews are read; the same for training data and for reviews whose sentiment is predicted.

    Columns have a name, a path such as `review.text` in nested JSON, or a number: the first column is 1. `auto` stands
    for the usual names, see `imdb_core.reviews`.

    Attributes:
        format: The file format; `auto` recognises it by the content, then by the name.
        text_column: The column of the text.
        label_column: The column of the label.
        split_column: The column of the split; it may be missing.
        rating_column: The column of the rating; it may be missing.
        delimiter: The character between the fields of a CSV file, or `tab`; `auto` finds it out.
        quote: The character around fields that contain delimiters, or `none`; `auto` finds it out.
        escape: The character before a quote inside a quoted field, or `none` if such quotes are doubled; `auto` finds
            it out.
        encoding: The encoding of text files, by Python's names; `auto` is UTF-8, or UTF-16 if the file shows it.
        header: Whether the first line of a CSV file names its columns; `auto` finds it out.
    """

    format: Literal["auto", "acl_imdb", "csv", "tsv", "jsonl", "json", "parquet", "text"] = "auto"
    text_column: _Column = "auto"
    label_column: _Column = "auto"
    split_column: _Column = "split"
    rating_column: _Column = "rating"
    delimiter: Annotated[str, Field(min_length=1)] = "auto"
    quote: Annotated[str, Field(min_length=1)] = "auto"
    escape: Annotated[str, Field(min_length=1)] = "auto"
    encoding: Annotated[str, Field(min_length=1)] = "auto"
    header: _YesOrNo = "auto"


class DataSettings(TableSettings):
    """Where the reviews come from and how they are split.

    Attributes:
        source: The source: `sample`, `imdb`, or a path or glob that a Beam file system can read.
        splits: The split of files and rows, by the name that the source uses in folders, file names or the split
            column: `train`, `eval`, `test` or `none`, which leaves them out. These names come on top of the usual
            ones, such as `validation`.
        positive_labels: The spellings of a positive label, compared in lower case.
        negative_labels: The spellings of a negative label, compared in lower case.
        ignored_labels: The spellings of labels whose rows are left out and counted, such as three of five stars.
        contradictions: What happens to texts that have both labels: `keep` them, `drop` all their rows, or `stop`.
        eval_fraction: The share of the training reviews that is held out as `eval`.
        test_fraction: The share of all reviews that is held out as `test` if the source defines no splits.
        max_bytes: The length of the longest review that is accepted, in UTF-8 bytes.
        max_bad_fraction: The share of unusable rows above which a run stops.
        min_per_class: The number of positive, and of negative, reviews that every split needs; with fewer, a run stops
            before it trains.
        dedupe: Whether exact duplicates, and training reviews that also occur in `test`, are dropped.
        shards: The number of files per split.
        sample_train: The number of training reviews in the built-in sample.
        sample_test: The number of `test` reviews in the built-in sample.
        sample_seed: The random seed of the built-in sample.
        download_url: The address of the official archive, for source `imdb`.
        download_sha256: The SHA-256 checksum of the official archive.
    """

    source: Annotated[str, Field(min_length=1)] = "sample"
    splits: dict[str, Literal["train", "eval", "test", "none"]] = {}
    positive_labels: _Labels = ("1", "pos", "positive", "true", "yes")
    negative_labels: _Labels = ("0", "neg", "negative", "false", "no")
    ignored_labels: _Labels = ()
    contradictions: Contradictions = "keep"
    eval_fraction: Fraction = 0.1
    test_fraction: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.2
    max_bytes: AtLeastOne = 1_000_000
    max_bad_fraction: Share = 0.01
    min_per_class: AtLeastOne = 5
    dedupe: bool = False
    shards: AtLeastOne = 4
    sample_train: AtLeastOne = 4000
    sample_test: AtLeastOne = 500
    sample_seed: int = 1
    download_url: str = OFFICIAL_URL
    download_sha256: str = OFFICIAL_SHA256

    @model_validator(mode="after")
    def _labels_have_one_meaning(self) -> "DataSettings":
        meanings: dict[str, str] = {}
        for name in ("positive_labels", "negative_labels", "ignored_labels"):
            for label in {spelling(one) for one in getattr(self, name)}:
                if label in meanings:
                    raise ValueError(f"the label {label!r} is in both {meanings[label]} and {name}; leave it in one")
                meanings[label] = name
        return self


class TransformSettings(Section):
    """How reviews become token ids.

    Attributes:
        vocabulary_size: The number of token ids, including the four special ones.
        max_tokens: The number of tokens that the network reads of a review, including the start mark.
        normalize: Whether typographic quotes and dashes, invisible characters, full-width letters and separate accents
            are first given one spelling, so that `don’t` is `don't`; see `imdb_core.normalization`.
    """

    vocabulary_size: Annotated[int, Field(ge=5)] = 10_000
    max_tokens: Annotated[int, Field(ge=2)] = 200
    normalize: bool = True


class ModelSettings(Section):
    """The network.

    Attributes:
        embedding_dim: The number of dimensions of a word vector.
        gru_units: The number of units of the GRU layer.
        dense_units: The number of units of the hidden Dense layer.
        softmax: The axis over which attention weights sum to 1: `time` (words compete) or `last` (the blog's code).
        pooling: How the weighted states are combined: `sum`, or `flatten` (the blog's code).
        mask: Whether padding is excluded from the attention.
        embedding_init: The initial word vectors: `uniform` random numbers (Keras's default), or `cooccurrence`, vectors
            computed from the words that occur near each other in the training reviews, see
            `components.trainer.embedding_init`.
        embedding_std: The standard deviation of `cooccurrence` vectors.
        word_dropout: The share of word ids that training replaces by the out-of-vocabulary id.
        embedding_dropout: The share of embedding dimensions that training drops for a whole review.
        dropout: The dropout rate before and after the hidden Dense layer.
    """

    embedding_dim: AtLeastOne = 100
    gru_units: AtLeastOne = 64
    dense_units: AtLeastOne = 32
    softmax: Literal["time", "last"] = "time"
    pooling: Literal["sum", "flatten"] = "sum"
    mask: bool = True
    embedding_init: Literal["uniform", "cooccurrence"] = "cooccurrence"
    embedding_std: PositiveFloat = 0.3
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
    """How both Trainers train.

    Attributes:
        epochs: The maximum number of epochs.
        batch_size: The number of reviews per step.
        learning_rate: The initial learning rate of Adam.
        schedule: How the learning rate changes: `constant`, or `cosine`, which lowers it to 0 along half a cosine over
            all `epochs` (Loshchilov and Hutter, "SGDR", 2017).
        weight_decay: The weight decay, decoupled from the gradient, per step and relative to the learning rate (the
            same authors, "Decoupled weight decay regularization", 2019); 0 is plain Adam.
        weight_average: The momentum of an exponential moving average of the weights over the steps. The averaged
            weights are evaluated and kept, see `components.trainer.optimizer`; 0 turns averaging off. If an
            epoch has few steps, the momentum is lowered so that the average covers a third of an epoch at most.
        clip_norm: The largest global norm of a step's gradients, over all devices; longer ones are scaled down to it. 0
            turns clipping off.
        patience: The number of epochs without a better `eval` loss after which training stops; 0 turns early stopping
            off and keeps the last weights.
        label_smoothing: The share of the target that training moves to the other class.
        seed: The seed of initial weights, shuffling and dropout.
        device: The device: `auto` uses a GPU if there is one, `gpu` requires one, `cpu` ignores it.
        mixed_precision: Whether a GPU computes in float16.
        tune: Whether a search for better values, see the section `tuning`, comes first; both modes then train with the
            best ones.
    """

    epochs: AtLeastOne = 4
    batch_size: AtLeastOne = 64
    learning_rate: PositiveFloat = 2e-3
    schedule: Literal["constant", "cosine"] = "cosine"
    weight_decay: NonNegativeFloat = 0.001
    weight_average: Fraction = 0.99
    clip_norm: NonNegativeFloat = 0.0
    patience: NonNegativeInt = 2
    label_smoothing: Fraction = 0.05
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1  # NumPy takes no larger one
    device: Literal["auto", "gpu", "cpu"] = "auto"
    mixed_precision: bool = False
    tune: bool = False


class TuningSettings(Section):
    """The search for better settings, with `training.tune = true`; its score is measured only on `eval`.

    Attributes:
        trials: The number of settings to try. The first are those of this run, so that the result cannot be worse.
        mode: The mode whose `eval` log loss is the score; `both` takes the mean, so that the search favours neither.
        epochs: The epochs of a trial; 0 takes `training.epochs`. Fewer are faster, but a shorter schedule needs other
            values.
        max_reviews: The number of training reviews of a trial, drawn by `training.seed`; 0 takes all. Fewer are faster,
            but need more regularisation.
        space: The values to try for each `section.key`, in addition to the value of this run.
    """

    trials: AtLeastOne = 10
    mode: Literal["scalar", "vector", "both"] = "both"
    epochs: NonNegativeInt = 0
    max_reviews: NonNegativeInt = 0
    # imdb_core/hyperparameters.py checks that each value has the type of its setting.
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
    """What a model must reach to be blessed, and how the modes are compared.

    Attributes:
        min_accuracy: The lowest accuracy on `test` with which a candidate is blessed.
        min_auc: The lowest AUC on `test` with which a candidate is blessed.
        max_log_loss: The highest log loss on `test` with which a candidate is blessed. Above ln 2 = 0.693 a model is
            worse than tossing a coin.
        max_accuracy_drop: The accuracy that the winner may lose compared with the last blessed model.
        confidence: The confidence level of the interval and of the McNemar test that select the mode.
    """

    min_accuracy: Share = 0.7
    min_auc: Share = 0.75
    max_log_loss: PositiveFloat = 0.65
    max_accuracy_drop: Share = 0.0
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95


class ServingSettings(Section):
    """What is pushed, and which check in a server it must pass first.

    Attributes:
        model_name: The folder under `models/`, which is also the name of the model for clients.
        warmup_requests: The number of requests that TensorFlow Serving replays before a version is available.
        check: The server that checks the winner before it is pushed: `embedded`, the project's own server in a separate
            process, or `infra_validator`, TFX's InfraValidator with TensorFlow Serving, which needs Docker.
        check_reviews: The number of `test` reviews that are sent to the server.
        check_timeout: The seconds within which the server must load the model.
        max_latency_ms: The milliseconds that 95 of 100 requests with one review each may take.
    """

    model_name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = DEFAULT_MODEL
    warmup_requests: NonNegativeInt = 4
    check: Literal["embedded", "infra_validator"] = "embedded"
    check_reviews: AtLeastOne = 64
    check_timeout: PositiveFloat = 120.0
    max_latency_ms: PositiveFloat = 500.0


class ReportSettings(Section):
    """What the report shows of the modes' attention.

    Attributes:
        attention_reviews: The number of `test` reviews whose attention is measured, at least `faithfulness_reviews`; 0
            takes all.
        faithfulness_reviews: The number of these reviews from which words are removed, 40 times each; 0 takes all.
        examples: The number of `test` reviews that are shown word by word.
        seed: The seed that draws these reviews, and the words that are removed at random.
    """

    attention_reviews: NonNegativeInt = 5000
    faithfulness_reviews: NonNegativeInt = 500
    examples: NonNegativeInt = 12
    seed: NonNegativeInt = 1


class CardSettings(Section):
    """What only a person knows of a model, for the model card of each pushed version.

    `auto` stands for what is known of the sources `sample` and `imdb`; for all others the card says "not stated". An
    empty text is "not stated" too.

    Attributes:
        intended_use: What the model is for.
        out_of_scope: What the model is not for.
        languages: The languages of the reviews, as codes such as `en`.
        license: The licence of the model, such as an SPDX identifier.
        data_license: The licence of the reviews that it was trained on.
        contact: Whom to ask about the model.
    """

    intended_use: str = (
        "Telling positive from negative reviews of films, in the language that it was trained on, and showing which "
        "words got the attention; for study, and as a start for models of one's own data."
    )
    out_of_scope: str = (
        "Decisions about people; texts that are no reviews of films; other languages; fine shades such as stars, mixed "
        "or neutral opinions. Attention shows what the network weighted, not why a person wrote something."
    )
    languages: Annotated[tuple[str, ...], Field(strict=False)] = ("auto",)
    license: str = ""
    data_license: str = "auto"
    contact: str = ""


class RunSettings(Section):
    """How a run uses this machine. The result does not depend on it.

    Attributes:
        jobs: The number of nodes that may run at a time: `auto` is the number of processor cores; 1 runs them one after
            the other. With more, a node that the push does not wait for, such as the Explainer, takes no place away
            from those that it waits for.
    """

    jobs: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"


class BeamSettings(Section):
    """Where Beam runs.

    Attributes:
        pipeline_args: The arguments of every Beam stage. The default selects the local in-memory runner in all versions
            of Beam, and prevents TFX from packaging itself for each stage.
    """

    pipeline_args: Annotated[tuple[str, ...], Field(strict=False)] = (
        "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",
        "--sdk_container_image=unused",
    )


class MetadataSettings(Section):
    """The ML Metadata store.

    Attributes:
        backend: The database: `sqlite` is a file in the workspace; `mysql` and `postgresql` use the other settings.
        host: The host of the database server.
        port: The port of the database server; 0 is the backend's default.
        database: The name of the database.
        user: The user name.
        password_env: The environment variable that holds the password, so that no file contains a secret.
    """

    backend: Literal["sqlite", "mysql", "postgresql"] = "sqlite"
    host: str = "localhost"
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    database: str = "mlmd"
    user: str = "mlmd"
    password_env: str = "MLMD_PASSWORD"
