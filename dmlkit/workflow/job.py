"""A job as named stages: how a workflow is declared. Running it is the business of `engine`."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from dmlkit.boosting import load_bundle, save_bundle
from dmlkit.cluster import current_client
from dmlkit.cluster.sizes import WorkerSizes, sizes_here, sizes_of
from dmlkit.errors import ConfigurationError, nearest
from dmlkit.tables import read_table, write_table
from dmlkit.workflow.plan import StagePlan, WorkflowPlan
from dmlkit.workflow.planning import plan_of_reading

__all__ = ["BUNDLE", "TABLE", "Keep", "Stage", "Workflow", "find_workflow", "workflow_entries"]

#: The entry-point group in which packages offer workflows.
GROUP = "dmlkit.workflows"


@dataclass(frozen=True)
class Keep:
    """How the result of a long stage is written and read again, so that a job can resume.

    Both are given where it is kept: a path, or an address where the job writes to a store (text;
    `dmlkit.tables.folders.find_folder` opens either).
    """

    save: Callable[[Any, Any], Any]
    load: Callable[[Any], Any]


TABLE = Keep(
    save=lambda path, frame: write_table(frame, str(path), mode="overwrite"),
    load=lambda path: read_table(str(path)),
)
BUNDLE = Keep(save=save_bundle, load=load_bundle)


@dataclass(frozen=True)
class Stage:
    """One step of a job.

    Attributes
    ----------
    name : str
    function : callable
        Takes the run and, by their names, the results of earlier stages.
    needs : tuple of str
        The earlier stages whose results it takes.
    uses : tuple of str
        Sections of the configuration that its result depends on.
    keep : Keep or None
        How the result outlives the process; None for lazy results.
    """

    name: str
    function: Callable[..., Any]
    needs: tuple[str, ...]
    uses: tuple[str, ...]
    keep: Keep | None


@dataclass
class Workflow:
    """An end-to-end job: a name, its settings, and stages in order.

    Parameters
    ----------
    name : str
        As in ``dmlkit run NAME``.
    configuration : type of BaseModel
        The settings, each with its default.
    summary : str
        One sentence for ``dmlkit workflows``.
    presets : sequence of Path
        Ready-made configurations (TOML) that come with the workflow.
    matches : callable, optional
        Given the path of a table and the presets, name the preset that fits, or None.
    makes_data : bool
        Without a table, it makes one.
    plans : callable, optional
        Given the settings, the path of a table (or None) and `WorkerSizes`, return the plan of each
        stage (see `dmlkit.workflow.planning`) and whether rows are counted and not estimated,
        looking at the table's metadata only.
    took : mapping, optional
        How long its stages took once, so that the time left of a first run can be told, with a
        wide range: `seconds` by stage, and `rows` of those where they are known.

    Examples
    --------
    >>> from dmlkit.workflow import Settings, Workflow
    >>> class Nothing(Settings):
    ...     pass
    >>> job = Workflow("count", Nothing, "Counts to three.")
    >>> @job.stage
    ... def one(run):
    ...     return 1
    >>> @job.stage
    ... def three(run, one):
    ...     return one + 2
    >>> [(stage.name, stage.needs) for stage in job.stages]
    [('one', ()), ('three', ('one',))]
    """

    name: str
    configuration: type[BaseModel]
    summary: str
    presets: Sequence[Path] = ()
    matches: Callable[[str, Iterable[Path]], Path | None] | None = None
    makes_data: bool = False
    took: Mapping[str, Mapping[str, float]] | None = None
    plans: Callable[[Any, str | None, WorkerSizes], tuple[list[StagePlan], bool]] | None = None
    stages: list[Stage] = field(default_factory=list)

    def stage(
        self,
        function: Callable[..., Any] | None = None,
        *,
        uses: Iterable[str] = (),
        keep: Keep | None = None,
    ) -> Any:
        """Add a function as the next stage (a decorator, with or without arguments)."""
        if function is None:
            return lambda function: self.stage(function, uses=uses, keep=keep)
        name = function.__name__
        needs = tuple(inspect.signature(function).parameters)[1:]
        known = [stage.name for stage in self.stages]
        for need in needs:
            if need not in known:
                raise ConfigurationError(
                    f"Stage {name!r} of {self.name!r} takes {need!r}, which no earlier stage "
                    f"gives. Earlier stages: {', '.join(known) or 'none'}."
                )
        for section in uses:
            if section not in self.configuration.model_fields:
                raise ConfigurationError(
                    f"Stage {name!r} of {self.name!r} uses the settings {section!r}, which "
                    f"{self.configuration.__name__} does not have."
                )
        self.stages.append(Stage(name, function, needs, tuple(uses), keep))
        return function

    def matching_preset(self, path: str) -> Path | None:
        """Return the preset whose column names the table at `path` has, if that is needed."""
        return self.matches(path, self.presets) if self.matches else None

    def plan(
        self,
        data: str | None = None,
        *,
        configuration: BaseModel | None = None,
        workers: WorkerSizes | None = None,
    ) -> WorkflowPlan:
        """Tell what the job takes of workers and disks, without reading a row or starting one.

        Parameters
        ----------
        data : str, optional
            The table: a file, folder, glob or URL.
        configuration : BaseModel, optional
            The settings; the defaults without.
        workers : WorkerSizes, optional
            Those of the current client without, else those of a local cluster.

        Returns
        -------
        WorkflowPlan
            Of nothing but reading the table where the workflow has no plan of its own.

        Examples
        --------
        >>> from dmlkit.cluster.sizes import WorkerSizes
        >>> from dmlkit.workflow import find_workflow
        >>> job = find_workflow("fraud-detection")
        >>> plan = job.plan(workers=WorkerSizes(workers=2, threads=1, limit=2 << 30))
        >>> plan.fits, plan.hardest.name
        (True, 'split')
        """
        configuration = self.configuration() if configuration is None else configuration
        if workers is None:
            client = current_client()
            workers = sizes_here() if client is None else sizes_of(client)
        if self.plans is not None:
            stages, exact = self.plans(configuration, data, workers)
            return WorkflowPlan(self.name, data, workers, tuple(stages), exact)
        stages, exact = plan_of_reading(data, workers) if data is not None else ([], False)
        return WorkflowPlan(self.name, data, workers, tuple(stages), exact, whole=False)


def workflow_entries() -> list[EntryPoint]:
    """Return the entry points of all workflows that installed packages offer, by name."""
    return sorted(entry_points(group=GROUP), key=lambda entry: entry.name)


def find_workflow(name: str) -> Workflow:
    """Return the workflow of that name.

    Raises
    ------
    ConfigurationError
        No installed package offers it; the nearest name is in the message.
    """
    entries = {entry.name: entry for entry in workflow_entries()}
    if name not in entries:
        guess = nearest(name, entries)
        hint = f" (nearest: {guess!r})" if guess else ""
        raise ConfigurationError(
            f"There is no workflow {name!r}{hint}. Known: {', '.join(entries)}."
        )
    job: Workflow = entries[name].load()
    return job
