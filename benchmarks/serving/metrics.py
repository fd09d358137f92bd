"""Reads the server's own metrics: the sizes of batches, and how long calls queued and ran."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from imdb_core.connections import trusts_environment
from serving.launch import LaunchedServer

_PATH: Final = "/monitoring/prometheus/metrics"
_BATCH_ROWS: Final = ":tensorflow:serving:batching_session:processed_batch_size"
_QUEUED: Final = ":tensorflow:serving:batching_session:queuing_latency"
_QUEUED_AND_RUN: Final = ":tensorflow:serving:runtime_latency"


def monitoring_flag(folder: Path) -> str:
    """Writes the file that makes the server show its metrics, and returns the flag that names it."""
    file = folder / "monitoring.config"
    file.write_text(f'prometheus_config {{ enable: true path: "{_PATH}" }}')
    return f"--monitoring_config_file={file}"


def read_totals(server: LaunchedServer) -> dict[str, float]:
    """Reads the sums and counts of all histograms since the server's start, over all their labels."""
    place = f"http://{server.rest}{_PATH}"
    page = httpx.get(place, trust_env=trusts_environment(httpx.URL(place).host)).raise_for_status().text
    totals: dict[str, float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name.endswith(("_sum", "_count")):
                totals[sample.name] = totals.get(sample.name, 0.0) + sample.value
    return totals


def batch_figures(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Computes means between two readings: `rows_per_batch`, and `queued_ms` and `run_ms` of a call."""

    def mean(name: str) -> float:
        total, count = (after[name + end] - before.get(name + end, 0.0) for end in ("_sum", "_count"))
        return total / count

    queued = mean(_QUEUED)
    return {
        "rows_per_batch": mean(_BATCH_ROWS),
        "queued_ms": queued / 1000,
        "run_ms": (mean(_QUEUED_AND_RUN) - queued) / 1000,
    }
