"""A folder of finished renders, each named by what it was made from and never half-written."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# Part of every content key: raise it when a drawing changes, and old files are left unused.
RENDER_VERSION = 1


def cached(
    cache_dir: Path, *, name: str, suffix: str, inputs: dict[str, Any], make: Callable[[Path], None]
) -> Path:
    """Return the file for these inputs, calling `make` with a scratch path only if it is absent.

    The scratch file is renamed into place once `make` has returned, so a reader or a later run
    never sees part of a render. Two makers at once are harmless: both write the same bytes.
    """
    target = cache_dir / f"{name}-{_content_key(inputs)}{suffix}"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch_name = tempfile.mkstemp(dir=target.parent, prefix=".part-", suffix=suffix)
    os.close(handle)
    scratch = Path(scratch_name)
    try:
        make(scratch)
        scratch.chmod(0o644)
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)
    return target


def _content_key(inputs: dict[str, Any]) -> str:
    canonical = json.dumps(
        {**inputs, "render_version": RENDER_VERSION}, sort_keys=True, ensure_ascii=False
    )
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
