import os
import subprocess
import sys
from pathlib import Path

import pytest

from imdb_core import cores
from imdb_core.cores import usable_cores

UNIFIED = "0::/shop/worker\n"
SEPARATE = "5:memory:/shop\n4:cpuacct,cpu:/shop\n0::/\n"


@pytest.fixture
def limited(monkeypatch, tmp_path):
    """Returns a function that puts this process, which may use eight cores, into control groups."""
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)), raising=False)
    monkeypatch.setattr(cores, "_CGROUPS", tmp_path / "groups")
    monkeypatch.setattr(cores, "_OWN_CGROUP", tmp_path / "own")

    def limit(own: str, files: dict[str, str]) -> int:
        (tmp_path / "own").write_text(own)
        for name, text in files.items():
            file = tmp_path / "groups" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return usable_cores()

    return limit


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        ({"shop/worker/cpu.max": "max 100000\n"}, 8),
        ({"shop/worker/cpu.max": "200000 100000\n"}, 2),
        ({"shop/worker/cpu.max": "150000 100000\n"}, 2),
        ({"shop/worker/cpu.max": "1000 100000\n"}, 1),
        ({"shop/worker/cpu.max": "max 100000\n", "shop/cpu.max": "300000 100000\n"}, 3),
        ({"cpu.max": "400000 100000\n"}, 4),
        ({"shop/worker/cpu.max": "9900000 100000\n"}, 8),
        ({"shop/worker/cpu.max": "nonsense\n"}, 8),
        ({"shop/worker/cpu.max": "100000 0\n"}, 8),
    ],
)
def test_the_smallest_limit_of_the_unified_groups_counts(limited, files, expected):
    assert limited(UNIFIED, files) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu/shop/cpu.cfs_quota_us": "-1", "cpu/shop/cpu.cfs_period_us": "100000"}, 8),
        ({"cpu/shop/cpu.cfs_quota_us": "50000", "cpu/shop/cpu.cfs_period_us": "20000"}, 3),
        ({"cpu/cpu.cfs_quota_us": "40000", "cpu/cpu.cfs_period_us": "20000"}, 2),
        ({"cpu/shop/cpu.cfs_quota_us": "50000"}, 8),
    ],
)
def test_limits_of_separate_groups_count_too(limited, files, expected):
    assert limited(SEPARATE, files) == expected


@pytest.mark.parametrize("own", ["", "\n", "nonsense", "0:", "0::", "0::relative", "0::/../..", "4:cpu:/gone"])
def test_an_odd_list_of_groups_limits_nothing(limited, own):
    assert limited(own, {}) == 8


def test_without_control_groups_the_affinity_counts(monkeypatch, tmp_path):
    monkeypatch.setattr(cores, "_OWN_CGROUP", tmp_path / "missing")
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {3, 5, 7}, raising=False)
    assert usable_cores() == 3


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no process")
def test_a_process_that_is_pinned_to_a_core_has_one():
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    code += "from imdb_core.cores import usable_cores; print(usable_cores())"
    root = Path(cores.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout == "1\n"
