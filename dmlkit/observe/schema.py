"""What a snapshot of the story holds: the one thing that page, JSON, metrics and terminal render.

Times are seconds since the epoch on the scheduler's clock, durations are in seconds, sizes in
bytes. A field may be added without a new version; one is renamed or removed only with one.
"""

from typing import Literal

from typing_extensions import TypedDict

__all__ = [
    "VERSION",
    "Axis",
    "CauseKind",
    "Cluster",
    "Curve",
    "EarlyStop",
    "Effort",
    "Flow",
    "FlowKind",
    "Loss",
    "Range",
    "Restart",
    "Search",
    "Snapshot",
    "Stage",
    "StageState",
    "Training",
    "Warning",
    "Worker",
    "WorkerState",
    "Workflow",
    "WorkflowState",
]

#: Of the schema; it stands in the address too: ``/dmlkit/api/v1/snapshot``.
VERSION = 1

FlowKind = Literal["read", "written"]
WorkflowState = Literal["running", "done", "failed", "stopped", "abandoned"]
StageState = Literal["waiting", "running", "stalled", "done", "resumed", "failed"]
TrainingState = Literal["running", "restarting", "done", "ended"]
WorkerState = Literal["idle", "busy", "spilling", "paused", "silent", "away", "gone"]
CauseKind = Literal[
    "memory",  # killed by its nanny at the memory limit
    "killed",  # SIGKILL, from outside or by the kernel
    "crashed",  # another signal that ends a process, such as SIGSEGV
    "exited",  # the process ended by itself, with an exit status
    "heartbeat",  # no sign of life for the scheduler's worker-ttl
    "frozen",  # no sign of life while training: let go by dmlkit
    "terminated",  # SIGTERM or SIGINT: preemption, `docker stop`, Ctrl-C
    "nanny-lost",  # the nanny ended too: killed from outside, or the machine restarted
    "host-lost",  # neither worker nor nanny answers: machine or network is gone
    "connection-lost",  # the connection broke; why is not known
    "restarted",  # asked for by a client
    "retired",  # let go in order, its results moved elsewhere
    "closed",  # told to close, or closed by itself, with a reason
    "unknown",
]


class Range(TypedDict):
    """Seconds, from the lowest to the highest that is likely."""

    low: float
    high: float


class Flow(TypedDict):
    """Rows that a stage has read from tables, or written to one, so far.

    `bytes` are of memory where rows are read, of files where they are written. `parts` of
    `parts_total` partitions are done; `rows_total` is known when all are, and before taken to be
    as many rows for each as so far. `left` is the time for these rows, not for the stage.
    """

    what: FlowKind
    rows: int
    bytes: int
    parts: int
    parts_total: int
    rows_total: int | None
    rows_per_second: float | None
    left: Range | None


class Stage(TypedDict):
    """A stage of a workflow.

    `tasks_*` are the scheduler's; `rows` and `bytes` are those of its result and come at the end,
    `flows` are what goes through it on the way.
    """

    name: str
    number: int
    state: StageState
    started: float | None
    seconds: float
    tasks_done: int
    tasks_total: int
    tasks_per_second: float | None
    quiet: float
    rows: int | None
    bytes: int | None
    flows: list[Flow]
    left: Range | None


class Workflow(TypedDict):
    """A run of a workflow; `share` is what is done of it, where that can be told."""

    id: str
    name: str
    state: WorkflowState
    started: float
    ended: float | None
    seconds: float
    user: str
    host: str
    data: str
    out: str
    error: str
    stages: list[Stage]
    share: float | None
    left: Range | None


class Curve(TypedDict):
    """A metric by round, thinned to a few hundred points; the best and the last one stay."""

    name: str
    table: str
    metric: str
    points: list[tuple[int, float]]
    last: float
    best: float
    best_round: int
    higher_is_better: bool


class Restart(TypedDict):
    """A failure that a training survived, from `round` back to `resumed_round`."""

    time: float
    worker: str
    reason: str
    round: int
    resumed_round: int
    seconds_lost: float | None


class EarlyStop(TypedDict):
    """When training stops by itself, if the metric gets no better."""

    metric: str
    patience: int
    best_round: int
    at: int


class Effort(TypedDict):
    """What a worker does for each round of a training.

    `share` is its part of the rows. All wait for each other in each round: `seconds` are those in
    which it works itself, and the slowest worker is the one with most of them.
    """

    worker: str
    shards: int
    rows: int
    share: float
    seconds: float


class Training(TypedDict):
    """A model that is trained; `workers` maps names of workers to their shards of the rows.

    `efforts` come a while after the start, the slowest worker first; there are none where one
    process trains alone.
    """

    id: str
    workflow: str
    state: TrainingState
    started: float
    seconds: float
    round: int
    total: int
    seconds_per_round: float | None
    quiet: float
    curves: list[Curve]
    early_stop: EarlyStop | None
    restarts: list[Restart]
    workers: dict[str, int]
    efforts: list[Effort]
    left: Range | None


class Search(TypedDict):
    """A search for parameters: `done` of `total` trials are over, pruned and failed ones too."""

    id: str
    workflow: str
    state: Literal["running", "done"]
    started: float
    seconds: float
    done: int
    total: int
    pruned: int
    failed: int
    running: int
    metric: str
    best: float | None


class Axis(TypedDict):
    """The time that the lanes of workers share: `count` buckets of `step` seconds."""

    start: float
    step: float
    count: int


class Worker(TypedDict):
    """A worker's place: a nanny's workers, one after the other, share one.

    `lane` has a letter for each bucket of the axis: ``.`` not there, ``i`` idle, ``b`` busy,
    ``s`` spilling, ``p`` paused, ``f`` silent.
    """

    id: int
    name: str
    address: str
    host: str
    state: WorkerState
    threads: int
    processing: int
    memory: int
    memory_limit: int
    spilled: int
    cpu: float
    joined: float
    losses: int
    restarts: int
    lane: str


class Loss(TypedDict):
    """A worker that went.

    `expected` ones were asked for. Of its results, `held_tasks` of `held_bytes`, no other worker
    had `lost_tasks`: `recomputed` of them are there again, for `recompute_seconds` of computing,
    `seconds` after its last sign of life. `running_tasks` were interrupted. `back_after` is when
    the place had a worker again.
    """

    id: int
    time: float
    worker: str
    name: str
    place: int
    cause: CauseKind
    text: str
    evidence: list[str]
    expected: bool
    workflow: str
    stage: str
    held_tasks: int
    held_bytes: int
    lost_tasks: int
    running_tasks: int
    recomputed: int
    recompute_seconds: float
    seconds: float | None
    prefixes: list[tuple[str, int]]
    outcome: Literal["went on", "computing again", "nothing lost", "failed", "given up"]
    back_after: float | None


class Warning(TypedDict):  # noqa: A001
    """Something that a person can act on, in a sentence; `count` times, last at `last`."""

    kind: str
    text: str
    first: float
    last: float
    count: int
    workflow: str


class Cluster(TypedDict):
    """The cluster as a whole."""

    address: str
    started: float
    workers: int
    threads: int
    memory: int
    memory_limit: int
    clients: int
    processing: int
    waiting: int
    exit_codes: bool
    versions: dict[str, str]


class Snapshot(TypedDict):
    """The story as it stands."""

    schema: int
    time: float
    cluster: Cluster
    axis: Axis
    workflows: list[Workflow]
    trainings: list[Training]
    searches: list[Search]
    workers: list[Worker]
    losses: list[Loss]
    loss_counts: dict[str, int]
    warnings: list[Warning]
