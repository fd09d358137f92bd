import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks import machine
from imdb_core.cores import usable_cores

# In a process of its own: a large parent would hide the peak of its child.
MEASURE = """
import dataclasses, json, os, sys
from pathlib import Path
from benchmarks.machine import run_process
code = "import sys; sum(range(10**6)); block = b'x' * 300_000_000; sys.exit(int(sys.argv[1]))"
process = run_process([sys.executable, "-c", code, "3"], os.environ, Path.cwd())
print(json.dumps(dataclasses.asdict(process)))
"""


def test_a_process_is_measured_from_outside(tmp_path: Path) -> None:
    root = str(Path(machine.__file__).resolve().parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE],
        env={**os.environ, "PYTHONPATH": root},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    process = json.loads(done.stdout)
    assert process["exit_code"] == 3
    assert 0.3 < process["peak_gigabytes"] < 0.4
    assert 0 < process["cpu_seconds"] <= process["seconds"] * usable_cores() + 0.1
    assert process["other_cpu_seconds"] >= 0


def test_the_machine_describes_itself() -> None:
    described = machine.describe()
    assert described["cores"] >= 1
    assert described["memory_gigabytes"] > 0.1
    assert set(described["versions"]) == {"tensorflow", "keras", "tfx", "apache-beam"}
    assert described["versions"]["keras"].startswith("3.")
    assert json.loads(json.dumps(described)) == described
    load = machine.load()
    assert len(load["average"]) == 3
    assert load["busy"] in (True, False)
