"""What nannies tell of the processes they look after: how they ended.

It travels to nannies as source, so that they need not have dmlkit.
"""

from typing import Any

from distributed import NannyPlugin

__all__ = ["NannyExits"]


class NannyExits(NannyPlugin):
    """Tells the exit code of a worker's process as an event of the topic ``dmlkit``."""

    name = "dmlkit-exits"

    def setup(self, nanny: Any) -> None:
        """Listen to the ends of this nanny's processes, now and later."""
        heard = nanny._on_worker_exit_sync

        def hear(exitcode: int) -> None:
            event = {"kind": "worker-exit", "worker": nanny.worker_address, "code": exitcode}
            try:
                if nanny.status.name == "running":  # else it closes, most often with its scheduler
                    nanny.log_event("dmlkit", event)
            finally:
                heard(exitcode)

        nanny._on_worker_exit_sync = hear  # taken by processes that start from now on
        if nanny.process is not None:
            nanny.process.on_exit = hear
