"""Where mien keeps what it can make or fetch again: decoded data sets and model files.

The platform's cache folder, or the one that the environment variable ``MIEN_CACHE`` names. It is
the only environment variable that mien reads.
"""

import os
from pathlib import Path

import platformdirs


def cache_root() -> Path:
    """The cache folder, which need not exist yet.

    Returns:
        ``$MIEN_CACHE`` where it is set and not empty, else the platform's cache folder for mien,
        e.g. ``~/.cache/mien`` on Linux.
    """
    override = os.environ.get("MIEN_CACHE")
    if override:
        return Path(override).expanduser()
    return Path(platformdirs.user_cache_dir("mien", appauthor=False))
