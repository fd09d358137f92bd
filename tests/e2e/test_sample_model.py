"""The model that the README's first command trains, on sentences that people try first."""

import subprocess

import pytest
import tensorflow as tf
from sample_project import TFX_RUN, Project

from imdb_core.modes import MODES

pytestmark = pytest.mark.e2e

PLAIN = "plain"
# Blame and praise of each kind. The sample has some of these sentences, as parts of reviews.
SENTENCES = {
    PLAIN: (
        [
            "The worst film I ever saw.",
            "An awful movie.",
            "I hated every minute of it.",
            "What a waste of time.",
            "Boring and stupid.",
            "Terrible acting, terrible story.",
            "Do not waste your money.",
            "This is a bad film.",
            "The story is dull and the acting is poor.",
            "A complete disaster.",
            "I hate this film.",
            "Two thumbs down.",
        ],
        [
            "The best film I ever saw.",
            "A great movie.",
            "I loved every minute of it.",
            "What a wonderful film.",
            "Funny and charming.",
            "Great acting, great story.",
            "Go and see it.",
            "This is a good film.",
            "The story is gripping and the acting is superb.",
            "A masterpiece.",
            "I love this film.",
            "One of the best films of the year.",
        ],
    ),
    "negated": (
        [
            "Not good.",
            "I did not like it.",
            "Nothing about this film is funny.",
            "There is nothing good about it.",
            "I do not recommend it.",
        ],
        [
            "Not bad at all.",
            "It is not boring.",
            "It was never dull.",
            "You will not regret it.",
            "Not a masterpiece, but never boring.",
        ],
    ),
    "compared": (
        [
            "Worse than the first one.",
            "Much worse than the book.",
        ],
        [
            "Better than I expected.",
            "Much better than the book.",
            "It is not as bad as people say.",
        ],
    ),
    "in capitals": (
        [
            "WORST MOVIE EVER",
        ],
        [
            "I LOVED IT!!!",
            "ABSOLUTELY BRILLIANT",
        ],
    ),
    "contrasted": (
        [
            "Great cast, terrible script.",
        ],
        [
            "The start is slow, but the ending is great.",
            "I expected to hate it, but I loved it.",
        ],
    ),
}
SMALLEST_SHARE = 40 / 45
# What the README says of its own sentences, and whether they praise.
DEMONSTRATED = {
    "I expected to hate it, but I loved it.": True,
    "Funny, charming and never boring.": True,
    "Hardly a great film.": False,
}
SAID_TO_BE_WRONG = "Hardly a great film."


def test_the_sample_model_knows_everyday_praise_and_blame(tmp_path) -> None:
    project = Project(tmp_path).make()
    command = [*TFX_RUN, "--set=report.faithfulness_reviews=20"]
    done = subprocess.run(command, cwd=project.root, env=project.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    metrics = project.last_record()["selection"]["metrics"]
    rows = [
        (kind, text, label) for kind, sides in SENTENCES.items() for label, side in enumerate(sides) for text in side
    ]
    assert len(rows) == 45
    for mode in MODES:
        assert 0.85 < metrics[mode]["accuracy"] < 0.98
        (model,) = project.workspace.glob(f"artifacts/Trainer.{mode}/model/*/Format-Serving")
        serve_text = tf.saved_model.load(str(model)).signatures["serve_text"]

        def positive(texts, serve_text=serve_text) -> list[bool]:
            return [label == b"positive" for label in serve_text(text=tf.constant(texts))["label"].numpy()]

        labels = positive([row[1] for row in rows])
        wrong = [(kind, text) for (kind, text, label), found in zip(rows, labels, strict=True) if found != label]
        assert len(wrong) <= len(rows) * (1 - SMALLEST_SHARE), (mode, wrong)
        assert [text for kind, text in wrong if kind == PLAIN] == []
        found = zip(DEMONSTRATED.items(), positive(list(DEMONSTRATED)), strict=True)
        assert [text for (text, praises), answer in found if praises != answer] == [SAID_TO_BE_WRONG]
