"""`tfx run create --pipeline pipeline/`, typed literally, whichever of TFX and this project was installed first."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TINY_RUNNER = ROOT / "tests" / "pipeline" / "tfx_cli" / "tiny_runner.py"

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def project_wheel(tmp_path_factory) -> Path:
    """The wheel that the project's own build backend makes."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def tfx_wheel(tmp_path_factory) -> Path:
    """What matters of TFX's wheel here: the entry points from which an installer writes its scripts."""
    tfx = importlib.metadata.distribution("tfx")
    name = f"tfx-{tfx.version}"
    wheel = tmp_path_factory.mktemp("tfx") / f"{name}-py3-none-any.whl"
    files = {
        "entry_points.txt": tfx.read_text("entry_points.txt"),
        "METADATA": f"Metadata-Version: 2.1\nName: tfx\nVersion: {tfx.version}\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for file, text in files.items():
            archive.writestr(f"{name}.dist-info/{file}", text)
    return wheel


@pytest.fixture(params=["tfx first", "project first"])
def environment(request, tmp_path, project_wheel, tfx_wheel) -> Path:
    """A new environment in which nothing of the running one's `.pth` files or scripts is seen."""
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    wheels = [tfx_wheel, project_wheel] if request.param == "tfx first" else [project_wheel, tfx_wheel]
    for wheel in wheels:
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", "--no-deps"]
        subprocess.run([*pip, str(wheel)], check=True)
    # TFX and all it needs. Python reads no .pth files of a folder that is itself named in one.
    packages = folder / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    (packages / "heavy.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def test_the_literal_command_runs_the_pipeline(environment, tmp_path):
    project = tmp_path / "project"
    (project / "pipeline").mkdir(parents=True)
    shutil.copy(TINY_RUNNER, project / "pipeline" / "local_runner.py")
    outside = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "IMDB_CONFIG", "IMDB_SET")
    }
    path = os.pathsep.join([str(environment / "bin"), os.environ["PATH"]])

    result = subprocess.run(  # noqa: S602  - it is what a person types that is tested
        "tfx run create --pipeline pipeline/",
        shell=True,
        cwd=project,
        env=outside | {"PATH": path, "HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert 'Pipeline "tiny" created successfully.' in result.stdout
    # Neither did our own package take the name `pipeline`, which is the project's to give.
    report = json.loads((project / "pipeline" / "reports.jsonl").read_text())
    assert report["arguments"] == [str(project / "pipeline" / "local_runner.py")]
    assert report["pipeline_package"] is False
