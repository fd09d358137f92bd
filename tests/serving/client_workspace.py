"""A workspace with pushed versions and a models.config."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tiny_sentiment import TinySentiment, write_tiny_sentiment

_CONFIG = """
model_config_list {{
  config {{
    name: "imdb_attention" base_path: "{models}/imdb_attention" model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: [1, 2] }} }}
    version_labels {{ key: "stable" value: 1 }}
    version_labels {{ key: "canary" value: 2 }}
  }}
  config {{ name: "unlabelled" base_path: "{models}/unlabelled" model_platform: "tensorflow" }}
  config {{ name: "sample" base_path: "{models}/sample" model_platform: "tensorflow" }}
  config {{ name: "old" base_path: "{models}/old" model_platform: "tensorflow" }}
}}
"""
_PLACED = {1: "imdb_attention", 2: "imdb_attention", 3: "unlabelled", 4: "unlabelled", 5: "old", 6: "sample"}


@dataclass(frozen=True)
class Workspace:
    """Four models: `imdb_attention` with 1 (stable) and 2 (canary), `unlabelled` with 3 and 4, `old` with 5, and
    `sample` with 6.

    Only version 6 says what it was trained on, and which words it knows. Version 5 lacks the signature `explain`.
    """

    folder: Path
    versions: dict[int, TinySentiment]

    @property
    def models(self) -> Path:
        return self.folder / "models"


def write_workspace(folder: Path) -> Workspace:
    models = folder / "models"
    versions = {
        number: write_tiny_sentiment(
            models / model / str(number),
            bias=number / 10,
            without="explain" if model == "old" else "",
            trained_on="sample" if model == "sample" else "",
        )
        for number, model in _PLACED.items()
    }
    (models / "models.config").write_text(_CONFIG.format(models=models))
    return Workspace(folder, versions)
