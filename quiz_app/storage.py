"""Where the blinded images are stored: a folder, or a bucket at any address that fsspec supports.

Readers never get an address in the store: every image passes through the application, which blinds and seals it.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from quiz_app.errors import InvalidInputError, SettingsError

if TYPE_CHECKING:
    from upath import UPath

Store: TypeAlias = "Path | UPath"


def at(address: str) -> UPath:
    """The store at this address, such as s3://BUCKET/PREFIX.

    Raises SettingsError if the package for such addresses is missing, or none is known.
    """
    try:
        from upath import UPath  # imported only if an address is set

        store = UPath(address)
        if not store.protocol:
            raise ValueError("expected an address such as s3://BUCKET/PREFIX")
        _ = store.fs
    except (ImportError, ValueError) as error:
        raise SettingsError(
            f"images_url: {address} cannot be used: {error}; the packages for s3:// come with "
            "pip install 'discern[cloud]', for gs:// with pip install gcsfs."
        ) from error
    return store


def assert_usable(store: Store) -> None:
    """Raise SettingsError unless a file can be put into `store` and removed."""
    try:
        with putting(store) as staging:
            (staging / ".writable").touch()
        (store / ".writable").unlink(missing_ok=True)  # another process that starts at the same time uses the same file
    except InvalidInputError as faulty:
        raise SettingsError(str(faulty)) from faulty


def read(store: Store, name: str) -> bytes:
    """The file with this name. Raises InvalidInputError if a bucket does not return it."""
    if isinstance(store, Path):
        return (store / name).read_bytes()
    try:
        return store.fs.cat_file((store / name).path)
    except Exception as error:  # each kind of store has its own errors
        raise InvalidInputError([f"images_url: {store / name} cannot be read: {_said(error)}"]) from error


@contextmanager
def putting(store: Store) -> Iterator[Path]:
    """A local folder to fill: if the block succeeds, all its files are put into `store`, otherwise none.

    Raises InvalidInputError if a bucket does not accept them.
    """
    if isinstance(store, Path):
        store.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=store) as staging:
            yield Path(staging)
            for file in list(Path(staging).iterdir()):
                file.rename(store / file.name)
    else:
        with tempfile.TemporaryDirectory() as staging:
            yield Path(staging)
            _upload(list(Path(staging).iterdir()), store)


@contextmanager
def on_disk(store: Store, names: list[str]) -> Iterator[Path]:
    """A local folder with the files of these names, while the block lasts.

    Raises InvalidInputError like `read`.
    """
    if isinstance(store, Path):
        yield store
    else:
        with tempfile.TemporaryDirectory() as folder:
            with ThreadPoolExecutor() as threads:
                for name, data in zip(names, threads.map(lambda name: read(store, name), names), strict=True):
                    (Path(folder) / name).write_bytes(data)
            yield Path(folder)


def _upload(files: list[Path], store: UPath) -> None:
    targets = [(store / file.name).path for file in files]
    try:
        with ThreadPoolExecutor() as threads:
            list(threads.map(store.fs.put_file, map(str, files), targets))
    except BaseException as error:
        with contextlib.suppress(Exception):  # whatever stopped the upload may stop this too
            store.fs.invalidate_cache()
            put = {path.strip("/") for path in store.fs.find(store.path)}
            for target in targets:
                if target.strip("/") in put:
                    store.fs.rm_file(target)
        if isinstance(error, Exception):
            raise InvalidInputError([f"images_url: {store} does not accept images: {_said(error)}"]) from error
        raise


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
