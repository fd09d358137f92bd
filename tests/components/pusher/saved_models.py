"""Fake SavedModels, and helpers that read what is on disk after a push."""

from pathlib import Path

import tensorflow as tf

from imdb_core.examples import Example

FILES = {
    "saved_model.pb": b"graph",
    "fingerprint.pb": b"print",
    "variables/variables.index": b"index",
    "variables/variables.data-00000-of-00001": bytes(range(256)) * 400,
    "assets/vocabulary": b"good\nbad\n",
    "assets.extra/tf_serving_warmup_requests": b"requests",
}


def saved_model(folder: Path, **changed: bytes) -> Path:
    for name, content in {**FILES, **changed}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def numbers(base: Path) -> list[int]:
    """Lists the versions that TF Serving would find: the children whose names are numbers."""
    return sorted(int(child.name) for child in base.iterdir() if child.name.isdecimal())


class _Critic(tf.Module):
    """Calls a text positive with probability 0.75 if it contains the letters "good", otherwise with 0.25."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def serve_text(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        positive = tf.where(tf.strings.regex_full_match(text, "(?s).*good.*"), 0.75, 0.25)
        return {"probabilities": tf.stack([1 - positive, positive], axis=1)}


def critic(folder: Path) -> Path:
    """Writes a SavedModel that runs."""
    model = _Critic()
    tf.saved_model.save(model, str(folder), signatures={"serve_text": model.serve_text})
    return folder


def prediction(
    number: int, label: int, bucket: str | None, rating: int | None, *, scalar: float, vector: float
) -> bytes:
    """Returns a review as node Predictions writes it."""
    example = Example()
    features = example.features.feature
    features["id"].bytes_list.value.append(b"test/%d" % number)
    features["label"].int64_list.value.append(label)
    if bucket is not None:
        features["length_bucket"].bytes_list.value.append(bucket.encode())
    if rating is not None:
        features["rating"].int64_list.value.append(rating)
    features["baseline"].float_list.value.extend([1 - scalar, scalar])
    features["candidate"].float_list.value.extend([1 - vector, vector])
    return bytes(example.SerializeToString())


# Of mode vector the first two are right, of mode scalar only the last.
PREDICTIONS = (
    prediction(1, 1, "001-050", 9, scalar=0.25, vector=0.75),
    prediction(2, 0, "001-050", 2, scalar=0.75, vector=0.125),
    prediction(3, 0, "401+", None, scalar=0.25, vector=0.625),
)
INGEST = {
    "source": "sample",
    "fingerprint": "f1" * 32,
    "examples": {
        "train": {"negative": 1200, "positive": 1100},
        "eval": {"negative": 7, "positive": 8},
        "test": {"negative": 2, "positive": 1},
    },
    "rejected": {"empty": 2, "bad_utf8": 1},
    "leaks": 4,
    "contradictions": 5,
}
