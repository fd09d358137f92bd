"""Fake SavedModels, and helpers that read what is on disk after a push."""

from pathlib import Path

FILES = {
    "saved_model.pb": b"graph",
    "fingerprint.pb": b"print",
    "variables/variables.index": b"index",
    "variables/variables.data-00000-of-00001": bytes(range(256)) * 400,
    "assets/vocabulary": b"good\nbad\n",
    "assets.extra/tf_serving_warmup_requests": b"requests",
}


def saved_model(folder: Path, **changed: bytes) -> Path:
    for name, content in {**FILES, **changed}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def numbers(base: Path) -> list[int]:
    """Lists the versions that TF Serving would find: the children whose names are numbers."""
    return sorted(int(child.name) for child in base.iterdir() if child.name.isdecimal())
