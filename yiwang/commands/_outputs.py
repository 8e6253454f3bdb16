"""Files that a command writes after minutes of work, looked at before it."""

import os
from pathlib import Path

from yiwang.errors import BadInput


def check_file(path: Path | None, *, code: str) -> None:
    """See that a file can be written there.

    Args:
        path: None is none.
        code: of the error.

    Raises:
        BadInput: it is a folder, or its folder is missing or not to be written into.
    """
    if path is None:
        return
    if path.is_dir():
        raise BadInput(code, f"{path} is a folder; name a file in it", file=str(path))
    if not path.parent.is_dir():
        raise BadInput(code, f"{path} cannot be written: there is no folder {path.parent}", file=str(path))
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise BadInput(code, f"{path} cannot be written: permission denied; name another", file=str(path))


def check_folder(path: Path, *, code: str) -> None:
    """See that a folder is there or can be made, and make it.

    Raises:
        BadInput: it cannot.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            code, f"{path} cannot be made: {error.strerror}; name another folder", file=str(path)
        ) from None
