"""Whether a job can be done at all, asked before it begins: its plan, and where it is to run."""

import contextlib
from pathlib import Path

from distributed import Client
from pydantic import BaseModel

from dmlkit.cluster.sizes import sizes_of
from dmlkit.errors import InputError, MissingFileError
from dmlkit.workflow.job import TABLE, Workflow
from dmlkit.workflow.readiness import Needs, check_readiness

__all__ = ["check_beforehand"]


def check_beforehand(
    workflow: Workflow,
    client: Client,
    data: str | None,
    out: Path,
    configuration: BaseModel,
    *,
    size: int | None,
    anyway: bool,
) -> list[str]:
    """Hold the plan of a job against workers and disks.

    Parameters
    ----------
    workflow : Workflow
    client : distributed.Client
    data : str or None
    out : Path
        The output folder, which is there already.
    configuration : BaseModel
    size : int or None
        Bytes of the input's files.
    anyway : bool
        Raise for nothing that is only estimated.

    Returns
    -------
    list of str
        What may go wrong, though it need not.

    Raises
    ------
    PlanError
        A stage takes more memory than a worker has.
    OutputError
        The output folder's disk is too small, or workers don't see the folder.
    ClusterError
        A worker's disk is too small.
    """
    # Of a workflow without a plan: what is kept is no smaller than what it is made of.
    needs, cautions = Needs(output=size or 0), []
    # What is wrong with the table is told by the stage that reads it, with more to go by.
    with contextlib.suppress(InputError, MissingFileError):
        plan = workflow.plan(data, configuration=configuration, workers=sizes_of(client))
        if plan.whole and not anyway:
            plan.check()
            needs = plan.needs
        elif not plan.fits:  # how a job without a plan reads its table is not known
            cautions.append(plan.advice)
    shared = any(stage.keep is TABLE for stage in workflow.stages)
    needs = Needs() if anyway else needs
    return [*cautions, *check_readiness(client, out, needs, shared=shared)]
