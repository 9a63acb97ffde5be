"""What would stop a job in the middle, found before it begins: full disks, folders not shared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dask.utils import format_bytes
from distributed import Client

from dmlkit.cluster.open_files import open_files_needed
from dmlkit.cluster.place import Place, look_around
from dmlkit.cluster.room import HOW_TO_MOVE, Room, room_of, temporary_folder
from dmlkit.cluster.workers import answers_of_workers
from dmlkit.errors import ClusterError, OutputError
from dmlkit.tables.folders import StoreFolder, find_folder

__all__ = ["Needs", "check_readiness", "check_spill_here"]


@dataclass(frozen=True)
class Needs:
    """What a job takes of disks, in bytes, as far as it is known.

    Attributes
    ----------
    output : int
        Of the output folder: tables that are kept and published.
    spilled : int
        Of each worker's folder: what does not go into its memory.
    """

    output: int = 0
    spilled: int = 0


def check_readiness(client: Client, out: Path | str, needs: Needs, *, shared: bool) -> list[str]:
    """Look at the disks, the folders and the limits that a job will work with.

    Parameters
    ----------
    client : distributed.Client
    out : Path or str
        The output folder, which is there already, or its address in a store.
    needs : Needs
    shared : bool
        Whether workers write to the output folder.

    Returns
    -------
    list of str
        What may go wrong, though it need not.

    Raises
    ------
    OutputError
        The output folder's disk is too small, or workers don't see the folder.
    ClusterError
        A worker's disk is too small.
    """
    in_store = isinstance(find_folder(out), StoreFolder)
    output = None if in_store else room_of(out)
    if output is not None:
        _check_output_disk(output, needs.output)
    places = answers_of_workers(client, look_around, str(out))
    if shared and in_store:
        _check_store_of_workers(client, str(out))
    elif shared:
        _check_seen_by_workers(places, out)
    _check_spill_disks([place.room for place in places.values()], needs, output)
    return [*_spilled_to_memory(places, needs.spilled), *_few_open_files(places)]


def _check_output_disk(room: Room, needed: int) -> None:
    if room.free < needed:
        raise OutputError(
            f"The output folder {room}, and this job writes about {format_bytes(needed)} there. "
            "Make room, or choose an --out on a larger disk."
        )


def _check_seen_by_workers(places: Mapping[str, Place], out: Path | str) -> None:
    blind = [worker for worker, place in places.items() if not place.can_write]
    if blind:
        others = f" (and {len(blind) - 1} more)" if len(blind) > 1 else ""
        raise OutputError(
            f"The worker {blind[0]}{others} can't write to the output folder {str(out)!r}: it is "
            "on a machine without that folder, or is not allowed to. Choose an --out that all "
            "workers share, at the same path, or one in a store (s3://...)."
        )


def _check_store_of_workers(client: Client, out: str) -> None:
    """Let each worker try: its credentials, and its way to the store, are its own."""
    for worker, told in answers_of_workers(client, _trouble_with_store, out).items():
        if told:
            raise OutputError(f"On the worker {worker}: {told}")


def _trouble_with_store(out: str) -> str:
    from dmlkit.tables.object_store import check_store

    try:
        check_store(out)
    except OutputError as error:
        return str(error)
    return ""


def check_spill_here(needs: Needs, workers: int) -> None:
    """Look whether what local workers would move to disk goes there; none need be started.

    Raises
    ------
    ClusterError
        The disk of their temporary folder is too small.
    """
    _check_spill_disks([room_of(temporary_folder())] * workers, needs, None)


def _check_spill_disks(places: Sequence[Room], needs: Needs, output: Room | None) -> None:
    """Hold what workers move to disk against what is free.

    Those of a machine may share a disk, and the output folder may be on it, too.
    """
    disks: dict[tuple[str, int], list[Room]] = {}
    for room in places:
        disks.setdefault((room.host, room.device), []).append(room)
    for disk, rooms in disks.items():
        spilled = needs.spilled * len(rooms)
        beside = output is not None and disk == (output.host, output.device)
        if rooms[0].free < spilled + (needs.output if beside and spilled else 0):
            workers = f"{len(rooms)} workers" if len(rooms) > 1 else "a worker"
            results = f", beside {format_bytes(needs.output)} of results" if beside else ""
            raise ClusterError(
                f"The temporary folder {rooms[0]}, and {workers} will move about "
                f"{format_bytes(spilled)} there, of what does not go into memory{results}. "
                f"Give workers more memory, or {HOW_TO_MOVE} (of your own workers: "
                "--local-directory of `dask worker`)."
            )


def _spilled_to_memory(places: Mapping[str, Place], spilled: int) -> list[str]:
    found = [place.room for place in places.values() if place.room.in_memory]
    if not found or not spilled:
        return []
    return [
        f"The temporary folder {found[0]}: what does not go into memory is moved there, and stays "
        f"in memory. Better {HOW_TO_MOVE}."
    ]


def _few_open_files(places: Mapping[str, Place]) -> list[str]:
    needed = open_files_needed(len(places))
    few = {worker: place for worker, place in places.items() if place.open_files < needed}
    if not few:
        return []
    worker, place = next(iter(few.items()))
    return [
        f"The worker {worker} may have {place.open_files:,.0f} files open (`ulimit -n`), and one "
        f"of {len(places):,} workers may need {needed:,}. Raise it where workers are started: "
        f"`ulimit -n {needed}`."
    ]
