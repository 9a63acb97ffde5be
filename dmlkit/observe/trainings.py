"""Models that are trained: rounds, curves, early stopping and restarts, as they are told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dmlkit.observe import schema
from dmlkit.observe.efforts import ShardEffort, efforts_by_worker
from dmlkit.observe.masking import masked

__all__ = ["TrainingRecord", "Trainings"]

KEPT = 10

#: Points of a curve: where there are more, every second one goes.
POINTS = 300

#: Metrics of which more is better, by how their names begin (as XGBoost has it).
HIGHER = ("auc", "aucpr", "pre", "map", "ndcg")

#: Share of the last rounds' seconds in what a round is said to take.
FRESH = 0.1


@dataclass
class CurveRecord:
    """A metric by round."""

    name: str
    points: list[tuple[int, float]] = field(default_factory=list)
    every: int = 1
    last: tuple[int, float] = (0, 0.0)
    best: tuple[int, float] | None = None

    @property
    def table(self) -> str:
        """The rows it is of, such as ``validation_0``."""
        return self.name.rpartition("-")[0]

    @property
    def metric(self) -> str:
        """The metric, such as ``aucpr``."""
        return self.name.rpartition("-")[2]

    @property
    def higher_is_better(self) -> bool:
        """Whether more is better."""
        return self.metric != "mape" and self.metric.startswith(HIGHER)

    def add(self, number: int, value: float) -> None:
        """Add a round; one that comes again, after a restart, replaces what came after it."""
        while self.points and self.points[-1][0] >= number:
            self.points.pop()
        if number % self.every == 0 or not self.points:
            self.points.append((number, value))
        if len(self.points) > POINTS:
            self.every *= 2
            self.points = [point for point in self.points if point[0] % self.every == 0]
        self.last = (number, value)
        if self.best is None or self._is_better(value, self.best[1]):
            self.best = self.last

    def _is_better(self, value: float, other: float) -> bool:
        return value > other if self.higher_is_better else value < other

    def view(self) -> schema.Curve:
        """Return it as a snapshot has it."""
        best = self.best or self.last
        points = dict([*self.points, best, self.last])
        return {
            "name": self.name,
            "table": self.table,
            "metric": self.metric,
            "points": sorted(points.items()),
            "last": self.last[1],
            "best": best[1],
            "best_round": best[0],
            "higher_is_better": self.higher_is_better,
        }


@dataclass
class TrainingRecord:
    """A training."""

    id: str
    started: float
    run: str = ""
    state: schema.TrainingState = "running"
    ended: float | None = None
    round: int = 0
    total: int = 0
    moved: float = 0.0
    round_done: float = 0.0
    pace: float | None = None
    patience: int | None = None
    curves: dict[str, CurveRecord] = field(default_factory=dict)
    restarts: list[schema.Restart] = field(default_factory=list)
    workers: dict[str, int] = field(default_factory=dict)
    lend: frozenset[str] = frozenset()
    shards: dict[int, ShardEffort] = field(default_factory=dict)

    def add_round(
        self,
        now: float,
        number: int,
        total: int,
        metrics: Mapping[str, float],
        done: float | None = None,
    ) -> None:
        """Take in a round, by when a worker's clock says that it was done, if that is told."""
        done = now if done is None else done
        if number > self.round and self.round and self.state == "running":
            taken = max(0.0, done - self.round_done) / (number - self.round)
            self.pace = taken if self.pace is None else self.pace + FRESH * (taken - self.pace)
        self.state, self.round, self.total, self.moved = "running", number, total, now
        self.round_done = done
        self.add_metrics(number, metrics)

    def add_metrics(self, number: int, metrics: Mapping[str, float]) -> None:
        """Take in the metrics of a round."""
        for name, value in metrics.items():
            curve = self.curves.setdefault(str(name), CurveRecord(str(name)))
            curve.add(number, float(value))

    def add_restart(self, now: float, restart: schema.Restart) -> None:
        """Take in a failure, or that one has been made up for."""
        if restart["seconds_lost"] is not None:
            same = [old for old in self.restarts if old["time"] == restart["time"]]
            for old in same:
                old["seconds_lost"] = restart["seconds_lost"]
            if same:
                return
        else:
            self.state, self.moved = "restarting", now
            self.round = restart["resumed_round"]
        self.restarts = [*self.restarts, restart][-100:]

    def end(self, now: float, state: schema.TrainingState = "done") -> None:
        """Take in that it is over."""
        if self.ended is None:
            self.state, self.ended = state, now

    @property
    def early_stop(self) -> schema.EarlyStop | None:
        """When it stops by itself: the last metric of the last table decides."""
        if not self.patience or not self.curves:
            return None
        curve = list(self.curves.values())[-1]
        best = curve.best or curve.last
        return {
            "metric": curve.name,
            "patience": self.patience,
            "best_round": best[0],
            "at": min(best[0] + self.patience, self.total),
        }

    @property
    def left(self) -> schema.Range | None:
        """From the earliest stop to the last round."""
        if self.pace is None or self.state not in ("running", "restarting"):
            return None
        high = (self.total - self.round) * self.pace
        stop = self.early_stop
        low = high if stop is None else max(0, stop["at"] - self.round) * self.pace
        return {"low": round(low, 1), "high": round(high, 1)}

    def view(self, now: float) -> schema.Training:
        """Return it as a snapshot has it."""
        return {
            "id": self.id,
            "workflow": self.run,
            "state": self.state,
            "started": self.started,
            "seconds": round((self.ended or now) - self.started, 2),
            "round": self.round,
            "total": self.total,
            "seconds_per_round": None if self.pace is None else round(self.pace, 4),
            "quiet": round(now - self.moved, 1) if self.ended is None else 0.0,
            "curves": [curve.view() for curve in self.curves.values()],
            "early_stop": self.early_stop,
            "restarts": list(self.restarts),
            "workers": dict(self.workers),
            "efforts": efforts_by_worker(self.shards.values()),
            "left": self.left,
        }


class Trainings:
    """The trainings that go on, and the last that are over."""

    def __init__(self) -> None:
        self._all: dict[str, TrainingRecord] = {}
        self._by_attempt: dict[str, str] = {}

    def hear(self, now: float, message: Mapping[str, Any], run: str) -> TrainingRecord:
        """Take in what is told of a training, which may belong to a run."""
        kind = message["kind"]
        training = self._of(message) or self._begin(now, message, run)
        if kind == "training-attempt":
            self._by_attempt[str(message["attempt"])] = training.id
            training.workers = {str(name): int(n) for name, n in message["workers"].items()}
            training.lend = frozenset(map(str, message.get("lend") or ()))
            training.patience = message.get("early_stopping_rounds")
            training.total = int(message["rounds"])
            training.moved, training.shards = now, {}
        elif kind == "training-round":
            done, total = int(message["round"]), int(message["total"])
            for number, metrics in message.get("before") or ():
                training.add_metrics(int(number), metrics)
            training.add_round(now, done, total, message["metrics"], message.get("time"))
        elif kind == "training-restart":
            lost = message["seconds_lost"]
            restart: schema.Restart = {
                "time": float(message["time"]),
                "worker": str(message["worker"]),
                "reason": masked(message["reason"]),
                "round": int(message["round"]),
                "resumed_round": int(message["resumed_round"]),
                "seconds_lost": None if lost is None else float(lost),
            }
            training.add_restart(now, restart)
        elif kind == "training-end":
            training.end(now, "done" if message.get("done") else "ended")
        return training

    def effort(self, message: Mapping[str, Any]) -> None:
        """Take in how much a process of a training works; others than running ones are left out."""
        training = self._all.get(self._by_attempt.get(str(message["attempt"]), ""))
        if training is not None:
            told = ShardEffort(
                str(message["worker"]),
                int(message["rows"]),
                int(message["rounds"]),
                float(message["worked"]),
            )
            training.shards[int(message["shard"])] = told

    def end_of(self, now: float, run: str) -> None:
        """Take in that the stage of a run, or the run, is over."""
        for training in self._all.values():
            if training.run == run and run:
                training.end(now)

    def running(self) -> list[TrainingRecord]:
        """Return those that go on."""
        return [training for training in self._all.values() if training.ended is None]

    def lending(self) -> frozenset[str]:
        """Return the workers whose threads those have that go on, and that do no task for it."""
        return frozenset().union(*(training.lend for training in self.running()))

    def left(self) -> dict[str, schema.Range | None]:
        """Return what is left of those that go on, by their runs."""
        return {training.run: training.left for training in self.running()}

    def views(self, now: float) -> list[schema.Training]:
        """Return them as a snapshot has them: running ones first, then the newest."""
        order = sorted(self._all.values(), key=lambda each: (each.ended is not None, -each.started))
        return [training.view(now) for training in order]

    def _of(self, message: Mapping[str, Any]) -> TrainingRecord | None:
        named = message.get("training") or self._by_attempt.get(str(message.get("attempt", "")))
        if named:
            return self._all.get(str(named))
        open_ones = [training for training in self._all.values() if training.ended is None]
        return open_ones[-1] if open_ones else None

    def _begin(self, now: float, message: Mapping[str, Any], run: str) -> TrainingRecord:
        number = str(message.get("training") or f"training-{len(self._all) + 1}-{now:.0f}")
        self._all[number] = training = TrainingRecord(number, now, run, moved=now)
        over = [each.id for each in self._all.values() if each.ended is not None]
        for old in over[: max(0, len(over) - KEPT)]:
            del self._all[old]
        kept = self._all
        self._by_attempt = {k: v for k, v in self._by_attempt.items() if v in kept}
        return training
