"""Commands that ask a server start quickly, as they import little."""

from __future__ import annotations

import subprocess
import sys


def imported(code: str) -> set[str]:
    run = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def test_the_client_imports_no_tensorflow() -> None:
    code = """from serving.client import Client
for target in ('localhost:1', 'http://localhost:1'):
    try: Client(target, retries=0).explain(['x'])
    except Exception as error: assert 'no server answers' in str(error), error
import serving.predict.commands"""
    modules = imported(f"exec({code!r})")
    assert {"grpc", "httpx", "rich"} <= modules
    assert not modules & {"tensorflow", "tensorflow_serving", "apache_beam", "tfx", "keras", "scipy", "pandas"}


def test_the_package_and_its_options_import_nothing_but_click() -> None:
    modules = imported("import serving.client, serving.predict.cli")
    assert "click" in modules
    assert not modules & {"grpc", "httpx", "numpy", "rich", "google.protobuf", "pydantic"}
