"""The presets: named sets of settings that replace the defaults."""

from collections.abc import Mapping
from typing import Any, Final, Literal

PresetName = Literal["attention", "blog"]

PRESETS: Final[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {
    # The network that the blog post describes in prose, with the regularisation that it needs.
    "attention": {},
    # The post's code, reproduced exactly: without a validation split, early stopping or dropout, and with its tokens.
    "blog": {
        "data": {"eval_fraction": 0.0},
        "transform": {"normalize": False},
        "model": {
            "softmax": "last",
            "pooling": "flatten",
            "mask": False,
            "embedding_init": "uniform",
            "word_dropout": 0.0,
            "embedding_dropout": 0.0,
            "dropout": 0.0,
        },
        "training": {
            "epochs": 2,
            "batch_size": 64,
            "learning_rate": 1e-3,
            "schedule": "constant",
            "weight_decay": 0.0,
            "weight_average": 0.0,
            "patience": 0,
            "label_smoothing": 0.0,
        },
    },
}
