"""Bundles in object stores: copied to this machine to be read, and sent whole to be kept."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from dmlkit.errors import BundleError, DmlkitError, MissingFileError, OutputError
from dmlkit.tables.folders import StoreFolder
from dmlkit.tables.object_store import open_store, told_of_store
from dmlkit.tables.published import unfinished

__all__ = ["local_copy", "send"]


@contextlib.contextmanager
def local_copy(folder: StoreFolder) -> Iterator[Path]:
    """Give a copy of a bundle, which is gone afterwards; errors name the bundle, not the copy.

    Raises
    ------
    MissingFileError
        There is no bundle.
    BundleError
        The store can't be read.
    """
    with tempfile.TemporaryDirectory(prefix="dmlkit-bundle-") as made:
        copy = Path(made)
        try:
            # A bundle is flat; what names folders, or ways out of one, is none of it.
            names = [name for name in folder.files() if "/" not in name]
            for name in names:
                (copy / name).write_bytes(folder.read(name))
        except Exception as error:  # each store has its own, not all of them OSError
            raise BundleError(
                f"Cannot read the bundle {folder.uri!r}: {told_of_store(error)}"
            ) from None
        if not names:
            raise MissingFileError(
                f"There is no model bundle {folder.uri!r}. It is 'model' in the output of a "
                f"finished run.{unfinished(*open_store(folder.uri))}"
            )
        try:
            yield copy
        except DmlkitError as error:
            half = unfinished(*open_store(folder.uri))
            raise type(error)(f"{str(error).replace(made, folder.uri)}{half}") from None


def send(folder: StoreFolder, write: Callable[[Path], object], sums: str) -> None:
    """Write a bundle to a store, the file with the sums last: without it there is no bundle.

    Raises
    ------
    OutputError
        The prefix holds something else, or can't be written to.
    """
    try:
        there = folder.names()
        if there and sums not in there:
            raise OutputError(f"{folder.uri!r} is there and no model bundle. Name another prefix.")
        with tempfile.TemporaryDirectory(prefix="dmlkit-bundle-") as made:
            write(Path(made))
            new = sorted(path.name for path in Path(made).iterdir())
            for name in [sums, *(name for name in there if name not in new)]:
                folder.remove(name)
            for name in sorted(new, key=lambda name: name == sums):
                folder.write(name, Path(made, name).read_bytes())
    except DmlkitError:
        raise
    except Exception as error:  # each store has its own, not all of them OSError
        raise OutputError(
            f"Cannot write the bundle {folder.uri!r}: {told_of_store(error)}"
        ) from None
