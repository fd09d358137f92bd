"""Runs `imdb-attention` in this process and reads its output."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main


def call(*arguments: str, stdin: bytes | str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=stdin, catch_exceptions=False)


def rows(lines: str) -> list[dict[str, Any]]:
    # Not by `splitlines`: JSON may hold other characters that end lines.
    return [json.loads(line) for line in lines.split("\n") if line]


def approximately(row: dict[str, Any]) -> dict[str, Any]:
    """Tolerates that the prediction of a review in another batch differs in the last bit."""
    return {
        **row,
        "probability": pytest.approx(row["probability"], abs=1e-6),
        "probabilities": pytest.approx(row["probabilities"], abs=1e-6),
    }
