"""One job at a time on a prefix of an object store: an object says whose it is, and that it lives.

Putting the object fails where it is there already, so that one of two jobs gets it. It is put again
every now and then; of a job that was killed it grows old, and the next job takes it over.
"""

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from dmlkit.errors import OutputError
from dmlkit.tables.folders import StoreFolder

__all__ = ["LOCK", "hold_store"]

LOCK = ".lock"
#: Seconds between signs of life, and after which a job that gave none is taken for dead.
BEAT, ABANDONED = 20.0, 180.0
#: Seconds after which two that took over the same lock see whose it is.
SETTLED = 1.0


@contextlib.contextmanager
def hold_store(folder: StoreFolder) -> Iterator[Callable[[], None]]:
    """Hold a prefix; give what raises where another job has taken it over meanwhile.

    Raises
    ------
    OutputError
        Another job holds it.
    """
    token = uuid.uuid4().hex
    _take(folder, token)
    over = threading.Event()
    beating = threading.Thread(target=_beat, args=(folder, token, over), daemon=True)
    beating.start()
    try:
        yield lambda: _check_ours(folder, token)
    finally:
        over.set()
        beating.join()
        with contextlib.suppress(Exception):  # the store is away: left there, it grows old
            if _token_of(folder) == token:
                folder.remove(LOCK)


def _take(folder: StoreFolder, token: str) -> None:
    taken_over = False
    while not folder.create(LOCK, _content(token)):
        held = _read(folder)
        if held.get("token") == token:  # put, and put again as the answer was lost
            break
        age = folder.age(LOCK)
        if age is not None and not _is_abandoned(held, age):
            raise _held_by(folder, held, age)
        folder.remove(LOCK)
        taken_over = True
    if taken_over:  # another job may have seen the same dead one, and have removed ours for its
        time.sleep(SETTLED)
        _check_ours(folder, token)


def _beat(folder: StoreFolder, token: str, over: threading.Event) -> None:
    while not over.wait(BEAT):
        with contextlib.suppress(Exception):  # the store may be back next time
            if _token_of(folder) != token:
                return
            folder.write(LOCK, _content(token))


def _check_ours(folder: StoreFolder, token: str) -> None:
    if _token_of(folder) != token:
        raise OutputError(
            f"Another job has taken over {folder.uri!r}: this one gave no sign of life for "
            f"{ABANDONED:g} s, or the object {LOCK!r} was removed. Nothing was published; run it "
            "again, or choose another --out."
        )


def _is_abandoned(held: dict[str, Any], age: float) -> bool:
    if age > ABANDONED:
        return True
    if held.get("host") != socket.gethostname():
        return False
    try:
        os.kill(int(held["process"]), 0)  # asks whether it lives; sends nothing
    except ProcessLookupError:
        return True
    except (PermissionError, KeyError, ValueError):  # another user's, or not told
        pass
    return False


def _held_by(folder: StoreFolder, held: dict[str, Any], age: float) -> OutputError:
    who = f"process {held.get('process', '?')} on {held.get('host', 'another machine')}"
    return OutputError(
        f"Another job is writing to {folder.uri!r}: {who}, which gave a sign of life {age:.0f} s "
        "ago. Wait for it, or choose another --out. A job that was killed on another machine is "
        f"given up {ABANDONED:g} s after its last sign."
    )


def _content(token: str) -> bytes:
    told = {"host": socket.gethostname(), "process": os.getpid(), "token": token}
    return json.dumps(told).encode()


def _token_of(folder: StoreFolder) -> Any:
    return _read(folder).get("token")


def _read(folder: StoreFolder) -> dict[str, Any]:
    try:
        held = json.loads(folder.read(LOCK))
    except (FileNotFoundError, ValueError):
        return {}
    return held if isinstance(held, dict) else {}
