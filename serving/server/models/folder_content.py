"""What lies in the folder of a version, to notice a copy that is still in progress."""

import os
from typing import TypeAlias

# Path below the folder → size in bytes and time of the last change, of all files.
FolderContent: TypeAlias = dict[str, tuple[int, int]]


def content_of(path: str) -> FolderContent | None:
    """Lists the files in a folder with their sizes and times; leaves out those that cannot be read.

    Returns:
        The files; None for a URI of another file system, where such a list is slow and times mean little.
    """
    if "://" in path:
        return None
    content: FolderContent = {}
    # Does not follow links to folders, which may form a loop; a version itself may be such a link.
    for folder, _, names in os.walk(path):
        for name in names:
            file = os.path.join(folder, name)
            try:
                status = os.stat(file)
            except OSError:
                continue
            content[os.path.relpath(file, path)] = status.st_size, status.st_mtime_ns
    return content
