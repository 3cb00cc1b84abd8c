"""Writing files so that a crash, a full disk or a kill leaves the previous file whole."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def atomic_write(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write ``data`` to ``path`` all at once: a reader sees the old file or the new one, never a part.

    The bytes go to a temporary file in the same folder, are flushed to the disk, and are then renamed.
    Whatever fails on the way, the temporary file is removed and the previous content stays. A symbolic link
    stays one: what it points to is written.

    Raises
    ------
    OSError
        The folder does not exist or cannot be written, or the disk is full.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.part")
    try:
        with temporary.open("xb") as file:  # with the permissions that the process's umask leaves
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o777)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return Path(path)
