from typing import Any

from benchmarks import figures


def test_reasons_why_figures_may_be_misleading_are_listed(record: dict[str, Any]) -> None:
    record["load"] = {"average": [3.5, 1.0, 1.0], "busy": True}
    record["pipelines"]["blog"]["seconds"]["cpu_of_others"] = 45.0  # of 2 x 112.5
    record["data"]["test"] = 500
    busy, disturbed, other_data = figures.warnings(record)
    assert "load 3.50 on 2 cores" in busy
    assert disturbed == "Other processes took 20% of the CPU time while `blog` ran."
    assert "these are 25,500" in other_data
