import threading
import time

import pytest

from pipeline.running import machine
from pipeline.running.machine import GpuBudget, gpus, no_gpu


@pytest.mark.parametrize(
    ("variable", "names"), [("0,2", ["0", "2"]), ("", []), ("-1", []), ("GPU-1f,MIG-2", ["GPU-1f", "MIG-2"])]
)
def test_gpus_are_those_that_the_environment_leaves(monkeypatch, variable, names):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    assert gpus() == names


LISTED = """cat <<END
GPU 0: NVIDIA A100 (UUID: GPU-1f)
  MIG 1g.5gb     Device  0: (UUID: MIG-2)
GPU 1: NVIDIA A100 (UUID: GPU-3e)
END"""


@pytest.mark.parametrize(
    ("program", "names"),
    [
        (LISTED, ["0", "1"]),
        ("echo No devices found.", []),
        (f"{LISTED}\nexit 9", []),
        ("printf 'GPU \\377'", ["0"]),
        ("exec sleep 60", []),
        (None, []),
    ],
    ids=["two", "none", "fails", "no text", "hangs", "no program"],
)
def test_gpus_that_the_kernel_does_not_list_are_those_of_the_driver_s_program(monkeypatch, tmp_path, program, names):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(machine, "_DEVICES", tmp_path / "missing")
    monkeypatch.setattr(machine, "_PATIENCE_SECONDS", 1.0)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    if program is not None:
        file = tmp_path / "nvidia-smi"
        file.write_text(f'#!/bin/sh\n[ "$*" = -L ] || exit 1\n{program}\n')
        file.chmod(0o755)
    assert gpus() == names


def test_gpus_that_the_kernel_lists_are_counted(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(machine, "_DEVICES", tmp_path)
    assert gpus() == []
    for name in ("0000:3b:00.0", "0000:af:00.0"):
        (tmp_path / name).mkdir()
    assert gpus() == ["0", "1"]


@pytest.mark.parametrize(
    ("names", "nodes", "shares"),
    [
        ("0", 2, ["0"]),
        ("01", 2, ["0", "1"]),
        ("01", 1, ["0,1"]),
        ("0123", 2, ["0,1", "2,3"]),
        ("012", 2, ["0", "1"]),
    ],
)
def test_gpus_are_shared_by_the_nodes_that_train(names, nodes, shares):
    budget = GpuBudget(list(names))
    taken = []
    for _ in shares:
        share = budget.taken(by=nodes)
        taken.append(share.__enter__()["CUDA_VISIBLE_DEVICES"])
    assert taken == shares


def test_a_node_that_trains_alone_gets_all_gpus_and_gives_them_back():
    budget = GpuBudget(["0", "1"])
    for by, name in ((1, "0,1"), (2, "0"), (1, "1,0")):
        with budget.taken(by=by) as environ:
            assert environ == {"CUDA_VISIBLE_DEVICES": name}


def test_without_a_gpu_nobody_waits():
    budget = GpuBudget([])
    with budget.taken(by=2) as one, budget.taken(by=2) as other:
        assert one == other == no_gpu() == {"CUDA_VISIBLE_DEVICES": "-1"}


def test_a_node_waits_for_a_gpu_and_gets_the_one_that_is_given_back():
    budget = GpuBudget(["7"])
    got: list[str] = []

    def take() -> None:
        with budget.taken(by=2) as environ:
            got.append(environ["CUDA_VISIBLE_DEVICES"])

    with budget.taken(by=2):
        waiting = threading.Thread(target=take)
        waiting.start()
        time.sleep(0.1)
        assert got == []
    waiting.join(20)
    assert got == ["7"]
