"""Whether a job can be done at all, asked before it begins: its plan, and where it is to run."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from distributed import Client
from pydantic import BaseModel

from dmlkit.cluster.sizes import sizes_of
from dmlkit.errors import InputError, MissingFileError
from dmlkit.workflow.job import TABLE, Workflow
from dmlkit.workflow.readiness import Needs, check_readiness

__all__ = ["Foreseen", "check_beforehand"]


@dataclass(frozen=True)
class Foreseen:
    """What is known of a job before it begins.

    Attributes
    ----------
    cautions : list of str
        What may go wrong, though it need not.
    rows : mapping of str to int
        Of stages, as planned.
    """

    cautions: list[str]
    rows: Mapping[str, int]


def check_beforehand(
    workflow: Workflow,
    client: Client,
    data: str | None,
    out: Path | str,
    configuration: BaseModel,
    *,
    size: int | None,
    anyway: bool,
) -> Foreseen:
    """Hold the plan of a job against workers and disks.

    Parameters
    ----------
    workflow : Workflow
    client : distributed.Client
    data : str or None
    out : Path or str
        The output folder, which is there already, or its address in a store.
    configuration : BaseModel
    size : int or None
        Bytes of the input's files.
    anyway : bool
        Raise for nothing that is only estimated.

    Returns
    -------
    Foreseen

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
    needs, rows = Needs(output=size or 0), {}
    cautions: list[str] = []
    # What is wrong with the table is told by the stage that reads it, with more to go by.
    with contextlib.suppress(InputError, MissingFileError):
        plan = workflow.plan(data, configuration=configuration, workers=sizes_of(client))
        rows = {stage.name: stage.rows for stage in plan.stages}
        if plan.whole and not anyway:
            plan.check()
            needs = plan.needs
        elif not plan.fits:  # how a job without a plan reads its table is not known
            cautions.append(plan.advice)
    shared = any(stage.keep is TABLE for stage in workflow.stages)
    needs = Needs() if anyway else needs
    return Foreseen([*cautions, *check_readiness(client, out, needs, shared=shared)], rows)
