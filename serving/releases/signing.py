"""Signs versions with a key, and checks such signatures, in the form of OpenSSF's model-signing.

The signature covers every file of the version except itself, and allows no further files. It lies in the version's
folder, so that it travels with the version. The library is an optional extra of this project.
"""

import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

from imdb_core.errors import SettingsError
from imdb_core.files import write_atomically
from serving.releases.errors import ReleaseError
from serving.releases.versions import SIGNATURE, PushedVersion, check_files


def sign(version: PushedVersion, private_key: Path) -> Path:
    """Signs a version with an elliptic-curve key in PEM form, and returns the signature's file.

    Raises:
        SettingsError: The key cannot be used, or model-signing is not installed.
        ReleaseError: The files are not those that were pushed.
    """
    model_signing = _library()
    check_files(version)
    config = model_signing.signing.Config()
    try:
        config.use_elliptic_key_signer(private_key=private_key)
    except (OSError, ValueError, TypeError) as error:
        raise _bad_key("private", private_key, error) from None
    # In the version's folder, the unfinished signature would be one of the signed files.
    with tempfile.TemporaryDirectory() as folder:
        unfinished = Path(folder, "signature")
        config.set_hashing_config(_hashing(model_signing)).sign(version.path, unfinished)
        write_atomically(version.path / SIGNATURE, unfinished.read_bytes())
    return version.path / SIGNATURE


def signature_check(public_key: Path) -> Callable[[Path], None]:
    """Returns a function that raises a ReleaseError unless a version's folder has a signature of this key.

    Raises:
        SettingsError: The key cannot be used, or model-signing is not installed.
    """
    model_signing = _library()

    def verifier() -> object:
        config = model_signing.verifying.Config().use_elliptic_key_verifier(public_key=public_key)
        return config.set_hashing_config(_hashing(model_signing))

    try:
        verifier()
    except (OSError, ValueError, TypeError) as error:
        raise _bad_key("public", public_key, error) from None

    def check(folder: Path) -> None:
        signature = folder / SIGNATURE
        if not signature.is_file():
            raise ReleaseError(
                f"{folder} has no signature in {SIGNATURE}; sign it with `imdb-attention models sign VERSION --key "
                "KEY.pem`"
            )
        try:
            # A check adds to its configuration, so each one gets a new one.
            verifier().verify(folder, signature)  # type: ignore[attr-defined]
        except Exception as error:  # whatever is wrong, the version is not what the key's owner signed
            raise ReleaseError(
                f"{folder} is not what the owner of {public_key} signed ({_in_one_line(error)}); restore the folder, "
                "push the model again, or use the right key"
            ) from None

    return check


def _library() -> ModuleType:
    try:
        model_signing = import_module("model_signing")
    except ImportError as error:
        raise SettingsError(
            f"signatures need the extra `signing` of this project ({_in_one_line(error)}); install it, as `make setup` "
            "does"
        ) from None
    return model_signing


def _hashing(model_signing: ModuleType) -> object:
    """Returns which files are hashed; by default the library leaves out Git's files, signed or not."""
    config = model_signing.hashing.Config()
    return config.set_ignored_paths(paths=[Path(SIGNATURE)], ignore_git_paths=False)


def _bad_key(kind: str, file: Path, error: Exception) -> SettingsError:
    return SettingsError(f"{file}: expected a {kind} elliptic-curve key in PEM form ({_in_one_line(error)})")


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
