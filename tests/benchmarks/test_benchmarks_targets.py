import copy
from typing import Any

from benchmarks.targets import check_targets


def test_targets_are_compared_with_the_measurements(record: dict[str, Any]) -> None:
    met = {target["target"]: target["met"] for target in record["targets"]}
    assert met == {
        "total, ratio to the script": True,  # 112.5 / 225
        "everything but training, ratio to the script": True,  # 72.5 / 65
        "everything but training": True,
        "Transform": True,
        "start-up": True,
        "peak memory": True,
        "accuracy, scalar, against the script": True,  # +0.20 points
        "accuracy, vector, against the script": False,  # -1.44 points
    }
    attention = copy.deepcopy(record["pipelines"]["blog"])
    attention["seconds"] |= {"start_up": 8.0, "without_training": 90.5, "total": 226.0}
    attention["peak_gigabytes"] = 2.6
    attention["nodes"][1]["seconds"] = None
    attention["selection"]["metrics"]["scalar"]["accuracy"] = 0.875
    expected = {
        "everything but training": False,
        "Transform": False,
        "start-up": False,
        "peak memory": False,
        "accuracy, scalar": True,
        "accuracy, vector": False,
    }
    met = {target["target"]: target["met"] for target in check_targets(None, {"attention": attention})}
    assert met == expected
    met = {target["target"]: target["met"] for target in check_targets(record["script"], {"attention": attention})}
    ratios = ("total, ratio to the script", "everything but training, ratio to the script")
    assert met == dict.fromkeys(ratios, False) | expected
