"""Where a job writes: a folder, or a prefix of an object store."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dmlkit.errors import OutputError
from dmlkit.observe.masking import LOGIN, masked
from dmlkit.tables.folders import StoreFolder, find_folder
from dmlkit.workflow.output import check_output, claim_output, clear_up, publish, staging_folder
from dmlkit.workflow.store_output import (
    check_store_output,
    claim_store,
    publish_to_store,
    remove_left_here,
    store_staging,
)

__all__ = ["Destination", "Staging", "find_destination"]


@dataclass(frozen=True)
class Staging:
    """Where artefacts are made, and how all of them come in their place.

    Attributes
    ----------
    folder : Path
        A folder of the client, for small ones.
    tables : str
        Where workers write tables: the same folder, or a prefix of the store.
    publish : callable
        Given the name of the file that comes last.
    """

    folder: Path
    tables: str
    publish: Callable[[str], None]


class Destination(Protocol):
    """Where a job writes."""

    @property
    def out(self) -> Path | str:
        """The folder, or the address of the prefix."""
        ...

    def check(self) -> None:
        """Raise unless a job can write there; leave everything as it is."""
        ...

    def claimed(self) -> contextlib.AbstractContextManager[Staging]:
        """Hold it for this job alone, and give where artefacts are made."""
        ...

    def clear_up(self) -> None:
        """Remove what a job left that was killed."""
        ...


def find_destination(out: str | os.PathLike[str]) -> Destination:
    """Return the destination that an output folder or address means.

    Raises
    ------
    OutputError
        There is a password in the address, which manifests and pages would show.

    Examples
    --------
    >>> find_destination("s3://bucket/jobs/fraud/").out
    's3://bucket/jobs/fraud'
    >>> find_destination("/data/out").out.as_posix()
    '/data/out'
    """
    if LOGIN.search(os.fspath(out)):
        raise OutputError(
            f"There are credentials in {masked(out)!r}, and the manifest tells the address. Leave "
            "them out: they are taken from the environment, a profile or a role."
        )
    folder = find_folder(out)
    return InStore(folder) if isinstance(folder, StoreFolder) else InFolder(Path(folder.uri))


@dataclass(frozen=True)
class InFolder:
    """A folder of this machine, or one that all machines share."""

    out: Path

    def check(self) -> None:
        check_output(self.out)

    @contextlib.contextmanager
    def claimed(self) -> Iterator[Staging]:
        with claim_output(self.out), staging_folder(self.out) as folder:
            yield Staging(folder, str(folder), lambda last: publish(folder, self.out, last=last))

    def clear_up(self) -> None:
        with claim_output(self.out):
            clear_up(self.out)


@dataclass(frozen=True)
class InStore:
    """A prefix of an object store."""

    folder: StoreFolder

    @property
    def out(self) -> str:
        return self.folder.uri

    def check(self) -> None:
        check_store_output(self.folder)

    @contextlib.contextmanager
    def claimed(self) -> Iterator[Staging]:
        with claim_store(self.folder) as check_ours, store_staging(self.folder) as (made, tables):

            def place(last: str) -> None:
                publish_to_store(made, tables, self.folder, check_ours, last=last)

            yield Staging(made, tables, place)

    def clear_up(self) -> None:
        with claim_store(self.folder):
            remove_left_here()
