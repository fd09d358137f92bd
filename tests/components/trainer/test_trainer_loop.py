from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.network.model import build_model
from components.trainer.datasets import Examples, training_batches
from components.trainer.loop import EpochMetrics, TrainingLoop, evaluator
from imdb_core.settings import ModelSettings, TransformSettings

pytestmark = pytest.mark.slow

TRANSFORM = TransformSettings(vocabulary_size=30, max_tokens=10)
NETWORK = ModelSettings(embedding_dim=6, gru_units=4, dense_units=4)
BLOG = NETWORK.model_copy(update={"softmax": "last", "pooling": "flatten", "mask": False})
STILL = NETWORK.model_copy(update={"word_dropout": 0.0, "embedding_dropout": 0.0, "dropout": 0.0})


def some_examples(count: int) -> Examples:
    rng = np.random.default_rng(1)
    token_ids = rng.integers(4, 30, size=(count, 10), dtype=np.int32)
    token_ids[:, 0] = 1
    token_ids[np.arange(10) >= rng.integers(1, 11, size=count)[:, np.newaxis]] = 0
    return Examples(token_ids, rng.integers(0, 2, size=count, dtype=np.int32))


def a_loop(
    network: ModelSettings = NETWORK, *, half: bool = False, **options: float
) -> tuple[keras.Model, TrainingLoop]:
    keras.utils.set_random_seed(1)
    model = build_model(network, TRANSFORM, "scalar")
    optimizer = keras.optimizers.SGD(0.5)
    if half:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(model.trainable_variables)
    given = {"seed": 3, "label_smoothing": 0.0, "clip_norm": 0.0, **options}
    return model, TrainingLoop(model, optimizer, tf.distribute.get_strategy(), **given)


def ignore(done: int, metrics: Callable[[], EpochMetrics]) -> None:
    del done, metrics


def test_a_step_is_keras_step_on_the_mean_loss() -> None:
    examples = some_examples(7)
    model, loop = a_loop(STILL, label_smoothing=0.1)
    plain, _ = a_loop(STILL)
    metrics = loop.run_epoch([examples], ignore)

    targets = np.eye(2)[examples.labels]
    plain.compile(keras.optimizers.SGD(0.5), keras.losses.CategoricalCrossentropy(label_smoothing=0.1))
    before = plain.predict_on_batch(examples.token_ids)
    loss = plain.train_on_batch(examples.token_ids, targets)
    for ours, theirs in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert metrics.loss == pytest.approx(float(loss), abs=1e-6)
    assert metrics.log_loss == pytest.approx(-np.log(before[targets == 1]).mean(), abs=1e-6)
    assert metrics.accuracy == pytest.approx((before.argmax(axis=1) == examples.labels).mean())


def test_metrics_are_means_over_examples_and_not_over_batches() -> None:
    examples = some_examples(9)
    _, loop = a_loop(STILL, clip_norm=1e-30)  # no weight changes
    parts = [
        Examples(examples.token_ids[:8], examples.labels[:8]),
        Examples(examples.token_ids[8:], examples.labels[8:]),
    ]
    seen: list[tuple[int, EpochMetrics]] = []
    metrics = loop.run_epoch(parts, lambda done, so_far: seen.append((done, so_far())))
    _, whole = a_loop(STILL, clip_norm=1e-30)
    expected = whole.run_epoch([examples], ignore)
    assert metrics.log_loss == pytest.approx(expected.log_loss, abs=1e-6)
    assert metrics.accuracy == pytest.approx(expected.accuracy)
    assert [done for done, _ in seen] == [8, 9]
    assert seen[1][1] == metrics
    assert seen[0][1] != metrics


@pytest.mark.parametrize("network", [NETWORK, BLOG], ids=["attention", "blog"])
def test_an_evaluation_is_that_of_the_whole_split_at_once(network: ModelSettings) -> None:
    examples = some_examples(300)
    model, _ = a_loop(network)
    probabilities = model.predict(examples.token_ids, batch_size=300, verbose=0)
    score = evaluator(model)(examples)
    assert score.log_loss == pytest.approx(-np.log(probabilities[np.arange(300), examples.labels]).mean(), abs=1e-6)
    assert score.accuracy == (probabilities.argmax(axis=1) == examples.labels).mean()


def test_dropout_is_drawn_anew_in_each_step_and_again_from_the_same_seed() -> None:
    examples = some_examples(8)

    def losses(seed: int) -> list[float]:
        _, loop = a_loop(seed=seed, clip_norm=1e-30)
        return [loop.run_epoch([examples], ignore).loss for _ in range(3)]

    first = losses(1)
    assert len(set(first)) == 3
    assert losses(1) == first
    assert losses(2) != first


def test_dropout_is_drawn_anew_in_each_step_of_half_precision() -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        _, loop = a_loop(half=True, clip_norm=1e-30)
        losses = [loop.run_epoch([some_examples(8)], ignore).loss for _ in range(3)]
    finally:
        keras.config.set_dtype_policy("float32")
    assert len(set(losses)) == 3


def test_a_batch_of_any_length_takes_one_graph() -> None:
    _, loop = a_loop()
    loop.run_epoch(training_batches(some_examples(60), 4, 1, 0, by_length=True), ignore)
    assert loop._step.experimental_get_tracing_count() == 1


# In a process of its own, because a process configures its devices only once.
REPLICAS = """
    import json, sys
    import keras
    import numpy as np
    import tensorflow as tf

    replicas = int(sys.argv[1])
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * replicas)

    from components.network.model import build_model
    from components.trainer.datasets import training_batches
    from components.trainer.devices import strategy_over
    from components.trainer.loop import TrainingLoop, evaluator
    from components.trainer.optimizer import averaged_weights
    sys.path.insert(0, sys.argv[2])
    from test_trainer_loop import BLOG, NETWORK, TRANSFORM, ignore, some_examples

    one = tf.distribute.get_strategy()
    many = strategy_over(tuple(f"CPU:{number}" for number in range(replicas)))
    assert many.num_replicas_in_sync == replicas
    adam = {"learning_rate": 0.01, "weight_decay": 0.01, "use_ema": True, "ema_momentum": 0.9}
    optimizers = {
        "sgd": lambda: keras.optimizers.SGD(0.5),
        "adamw": lambda: keras.optimizers.Adam(**adam),
        "half precision": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(**adam)),
    }

    def trained(strategy, network, optimizer, clip_norm):
        keras.utils.set_random_seed(1)
        with strategy.scope():
            model = build_model(network, TRANSFORM, "vector")
            optimizer = optimizers[optimizer]()
            optimizer.build(model.trainable_variables)
            loop = TrainingLoop(model, optimizer, strategy, seed=3, label_smoothing=0.1, clip_norm=clip_norm)
            # 5 batches of 8 and one of 1, which leaves nothing to the other replicas.
            metrics = loop.run_epoch(training_batches(some_examples(41), 8, 1, 0, by_length=network.mask), ignore)
            weights = model.get_weights()
            with averaged_weights(model, optimizer):
                weights += model.get_weights()
                score = evaluator(model)(some_examples(41))
        numbers = [metrics.loss, metrics.log_loss, metrics.accuracy, score.log_loss, score.accuracy]
        return np.concatenate([np.ravel(values) for values in (*weights, numbers)])

    networks = {"attention": NETWORK, "blog": BLOG}
    differences = {}
    for case in sys.argv[3:]:
        name, optimizer, clip_norm = case.split(", ")
        results = [trained(strategy, networks[name], optimizer, float(clip_norm)) for strategy in (one, many)]
        differences[case] = float(np.abs(results[0] - results[1]).max())
    print(json.dumps(differences))
"""


# Network, optimizer and limit of the gradients' norm.
CASES = [
    f"{network}, {optimizer}, {clip_norm}"
    for network in ("attention", "blog")
    for optimizer in ("sgd", "adamw", "half precision")
    for clip_norm in (0, 0.05)
]
# Three replicas take other parts of the batches, but not another way.
OF_THREE = [f"{network}, adamw, 0.05" for network in ("attention", "blog")]


@pytest.mark.parametrize(("replicas", "cases"), [(2, CASES), (3, OF_THREE)])
def test_replicas_that_share_each_batch_train_what_one_device_trains(replicas: int, cases: list[str]) -> None:
    # Logical CPUs stand for GPUs: same strategy, same parts of batches, same mirrored variables.
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(REPLICAS), str(replicas), str(Path(__file__).parent), *cases],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    differences = json.loads(done.stdout.splitlines()[-1])
    assert list(differences) == cases
    assert {name: difference for name, difference in differences.items() if not difference < 1e-5} == {}
