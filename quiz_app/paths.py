"""Where the folders without Python code are: at the top of a checkout, inside this package in an installed copy."""

from __future__ import annotations

from pathlib import Path


def beside(name: str) -> Path:
    """The folder `templates`, `static` or `migrations`."""
    package = Path(__file__).parent
    return package / name if (package / name).is_dir() else package.parent / name
