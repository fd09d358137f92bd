"""Records of studies that never ran, with invented accuracies."""

import numpy as np

from components.evaluator.metrics import ACCURACY, AUC, LOG_LOSS
from pipeline.study.verdicts import compare_modes, compare_presets, spreads


def study_values(seeds: int) -> dict:
    """Vector is right on 70 of 100 reviews and one more with each seed, scalar always on 60 of these."""
    values = {}
    for mode, right in (("scalar", 60), ("vector", 70)):
        table = np.zeros((seeds, 100))
        for seed in range(seeds):
            table[seed, : right + (seed if mode == "vector" else 0)] = 1
        values[mode] = {ACCURACY: table, AUC: table, LOG_LOSS: 1 - table}
    return values


def study_record(seeds: int) -> dict:
    values = {"attention": study_values(seeds), "blog": study_values(seeds)}
    numbers = list(range(1, seeds + 1))
    return {
        "command": "imdb-attention compare --seeds 3",
        "date": "2026-01-02T03:04:05+00:00",
        "seeds": numbers,
        "confidence": 0.95,
        "test_reviews": 100,
        "seconds": 61.0,
        "python": "3.10.13",
        "versions": {"keras": "3.6.0"},
        "presets": {
            preset: {
                "executed": ["Trainer.scalar.seed1"],
                "trainings": [
                    {"mode": mode, "seed": seed, "seconds": 20.0 + seed, ACCURACY: of[ACCURACY][seed - 1].mean()}
                    for seed in numbers
                    for mode, of in modes.items()
                ],
                "pairs": {
                    str(seed): {"accuracy_difference": 0.1, "flip_rate": 0.125, "mcnemar_p": 0.0123} for seed in numbers
                },
                "spread": {mode: spreads(of) for mode, of in modes.items()},
                "modes": compare_modes(modes, 0.95),
            }
            for preset, modes in values.items()
        },
        "between": {
            mode: compare_presets({preset: values[preset][mode] for preset in values}, 0.95)
            for mode in ("scalar", "vector")
        },
    }
