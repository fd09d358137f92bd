import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_without_a_python_it_says_what_to_install(tmp_path):
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    if (ROOT / ".tools").exists():
        (tmp_path / ".tools").symlink_to(ROOT / ".tools")
    # uv sees no Python but those it brought itself, of which there are none, and may bring none.
    nothing = {
        "UV_PYTHON_PREFERENCE": "only-managed",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_PYTHON_INSTALL_DIR": str(tmp_path / "pythons"),
    }
    setup = subprocess.run(
        [tmp_path / "scripts" / "setup"], env={**os.environ, **nothing}, capture_output=True, text=True, check=False
    )
    assert setup.returncode == 1
    assert setup.stderr.splitlines()[-1].startswith("error: .venv needs Python 3.10; none was found here")
    assert not (tmp_path / ".venv" / ".ready").exists()
