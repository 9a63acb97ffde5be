"""Object stores through fsspec: opening them, and whether two writers can be kept apart there."""

import functools
import uuid
from collections.abc import Sequence
from typing import Any

import fsspec

from dmlkit.errors import OutputError
from dmlkit.tables.folders import OWNER, PREFIX, StoreFolder, owner
from dmlkit.tables.sources import needed_for

__all__ = ["check_store", "copy_objects", "open_store", "told_of_store"]


def open_store(uri: str) -> tuple[Any, str]:
    """Return the file system of a store and the path in it. Listings are never remembered."""
    try:
        filesystem, root = fsspec.core.url_to_fs(uri, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise OutputError(
            f"Cannot open {uri!r}: {str(error).rstrip('.')}.{needed_for(uri)}"
        ) from None
    return filesystem, root.rstrip("/")


def check_store(uri: str) -> None:
    """Raise unless a store can be written to, and refuses to put an object where one is.

    Two writers who commit the same version of a table are kept apart by that refusal alone. It is
    probed once for each bucket in a process, with an object that is removed again.

    Raises
    ------
    OutputError
        The store can't be reached or written to, or it has no conditional put.
    """
    filesystem, root = open_store(uri)
    try:
        _probe(type(filesystem).__name__, root.partition("/")[0], uri)
    except OutputError:
        raise
    except Exception as error:  # each store has its own, not all of them OSError
        raise OutputError(f"Cannot write to {uri!r}: {told_of_store(error)}") from None


def copy_objects(source: StoreFolder, target: StoreFolder, paths: Sequence[str]) -> None:
    """Copy objects from one prefix to another one of the same store, which does it by itself."""
    filesystem, begin = open_store(source.uri)
    _, end = open_store(target.uri)
    if paths:
        pairs = [(f"{begin}/{path}", f"{end}/{path}") for path in paths]
        filesystem.copy([old for old, _ in pairs], [new for _, new in pairs], on_error="raise")


@functools.cache
def _probe(store: str, bucket: str, uri: str) -> None:
    """Put an object twice, the second time on condition that it is not there yet."""
    if store != "S3FileSystem":
        return  # Google's and Azure's have had the condition from the start
    filesystem, root = open_store(uri)
    # Like a write of its own: the next one removes what is left of it when this process is killed.
    key = f"{root.partition('/')[2]}/{PREFIX}probe-{uuid.uuid4().hex}/{OWNER}".lstrip("/")
    probe = {"Bucket": bucket, "Key": key, "Body": owner(), "IfNoneMatch": "*"}
    filesystem.call_s3("put_object", **probe)
    try:
        filesystem.call_s3("put_object", **probe)
    except Exception as error:
        if "PreconditionFailed" in repr(error) or "pre-condition" in str(error).lower():
            return
        raise
    finally:
        filesystem.rm_file(f"{bucket}/{key}")
    raise OutputError(
        f"The store of {uri!r} puts an object in the place of another although it is asked not "
        "to (If-None-Match), so that one of two writers could lose its rows. Use a store that "
        "has conditional writes: S3 itself has, and newer versions of compatible stores."
    )


def told_of_store(error: Exception) -> str:
    """Return the first line of an error of a store, which tells no credentials, and what to do."""
    text = str(error).strip().splitlines()
    return (
        f"{text[0].rstrip('.') if text else type(error).__name__}.\nCheck the bucket, the region "
        "and the endpoint (AWS_REGION, AWS_ENDPOINT_URL), and that AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, a profile or a role may go there: here and on all workers."
    )
