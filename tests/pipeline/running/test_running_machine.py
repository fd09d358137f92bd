import threading
import time

import pytest

from pipeline.running.machine import GpuBudget, gpus, no_gpu


@pytest.mark.parametrize(
    ("variable", "names"), [("0,2", ["0", "2"]), ("", []), ("-1", []), ("GPU-1f,MIG-2", ["GPU-1f", "MIG-2"])]
)
def test_gpus_are_those_that_the_environment_leaves(monkeypatch, variable, names):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    assert gpus() == names


@pytest.mark.parametrize(
    ("names", "nodes", "shares"),
    [
        ("0", 2, ["0"]),
        ("01", 2, ["0", "1"]),
        ("01", 1, ["0,1"]),
        ("0123", 2, ["0,1", "2,3"]),
        ("012", 2, ["0", "1"]),
        ("01", 0, ["0,1"]),
    ],
)
def test_gpus_are_shared_by_the_nodes_that_train(names, nodes, shares):
    budget = GpuBudget(list(names), nodes)
    taken = []
    for _ in shares:
        share = budget.taken()
        taken.append(share.__enter__()["CUDA_VISIBLE_DEVICES"])
    assert taken == shares


def test_without_a_gpu_nobody_waits():
    budget = GpuBudget([], 2)
    with budget.taken() as one, budget.taken() as other:
        assert one == other == no_gpu() == {"CUDA_VISIBLE_DEVICES": "-1"}


def test_a_node_waits_for_a_gpu_and_gets_the_one_that_is_given_back():
    budget = GpuBudget(["7"], 2)
    got: list[str] = []

    def take() -> None:
        with budget.taken() as environ:
            got.append(environ["CUDA_VISIBLE_DEVICES"])

    with budget.taken():
        waiting = threading.Thread(target=take)
        waiting.start()
        time.sleep(0.1)
        assert got == []
    waiting.join(20)
    assert got == ["7"]
