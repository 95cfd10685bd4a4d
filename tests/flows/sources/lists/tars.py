"""Tars of given members."""

import io
import tarfile


def tar_of(members: list[tuple[str, bytes]]) -> bytes:
    """A tar with these files."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return data.getvalue()
