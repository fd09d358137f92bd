"""What others may import. A name that goes from here breaks them: say so in CHANGELOG.md."""

import importlib.resources
import inspect
import subprocess
import sys

import pytest

SURFACE = {
    "serving.client": {
        "TLS",
        "BulkInferenceError",
        "Client",
        "ClientError",
        "DeadlineError",
        "Explanation",
        "LabelNotFoundError",
        "Metadata",
        "ModelNotFoundError",
        "Prediction",
        "RequestRefusedError",
        "ReviewFileError",
        "ServerUnavailableError",
        "Signature",
        "SignatureNotFoundError",
        "TensorSpec",
        "VersionStatus",
    },
    "components.network": {
        "Attention",
        "WordDropout",
        "build_model",
        "explaining_model",
        "export_model",
        "load_trained_model",
    },
    "pipeline.settings": {
        "CONFIG_VARIABLE",
        "PRESETS",
        "SET_VARIABLE",
        "VERBOSE_VARIABLE",
        "PipelineConfig",
        "PresetName",
        "Settings",
        "assignments_from_environment",
        "changed_settings",
        "flatten",
        "load_settings",
        "preset_settings",
        "settings_from_environment",
        "toml_file",
        "toml_value",
    },
}
LIGHT = ("serving.client", "pipeline.settings")


@pytest.mark.parametrize("package", SURFACE)
def test_a_package_exports_exactly_what_is_public(package):
    module = importlib.import_module(package)
    assert set(module.__all__) == SURFACE[package]
    assert sorted(module.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name)) == module.__all__


@pytest.mark.parametrize(
    ("package", "name"), [(package, name) for package, names in SURFACE.items() for name in sorted(names)]
)
def test_each_name_is_documented(package, name):
    module = importlib.import_module(package)
    value = getattr(module, name)
    assert name in module.__doc__
    assert not (inspect.isclass(value) or inspect.isfunction(value)) or inspect.getdoc(value)


@pytest.mark.parametrize("package", SURFACE)
def test_types_travel_with_the_package(package):
    assert (importlib.resources.files(package.partition(".")[0]) / "py.typed").is_file()


@pytest.mark.parametrize("package", LIGHT)
def test_a_client_and_settings_load_without_tensorflow(package):
    code = f"import sys\nfrom {package} import *\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"tensorflow", "tfx", "keras", "apache_beam"} & set(done.stdout.split())
