"""A new file, mapped into memory, that takes the place of the one before it.

What is written into it costs as much as into an array, and is there after kill -9: the system has the pages, not the
process. Whoever still has the old file mapped (a call that hangs in a runtime that was closed) does no harm, and no
mapped file is ever made shorter. All of it is written when it is made, so that its blocks are there: a write into a
mapped page for which there is no space would end the process.
"""

from __future__ import annotations

import errno
import mmap
import os

from saga.seams import seam

__all__ = ["new_mapped"]


def new_mapped(path: str, data: bytes) -> memoryview:
    """Return a new file with this content, mapped, that has taken the place of the one at `path`.

    Raises OSError or ValueError when it cannot be made (a full disk, a directory that is read-only); then the old one
    is left where it is.
    """
    new = f"{path}.new"
    fd = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0), 0o644)
    try:
        seam("mapped.before-write")
        if os.write(fd, data) < len(data):
            raise OSError(errno.ENOSPC, "the disk is full")
        mapped = mmap.mmap(fd, len(data))
        seam("mapped.before-replacing")
        os.replace(new, path)
        seam("mapped.after-replacing")
    except BaseException:
        os.unlink(new)
        raise
    finally:
        os.close(fd)
    return memoryview(mapped)
