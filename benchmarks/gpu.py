"""Training on a GPU beside the cores of the same machine: one command to carry to a GPU machine.

``python -m benchmarks.gpu [--rows 1000000] [--features 40] [--repeat 3] [--json FILE]``. Needs the
extra ``gpu``; without a GPU it says what was looked for.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import distributed
from rich.console import Console

from benchmarks.measure import write_results
from benchmarks.training import (
    PARAMETERS,
    PARTITION_ROWS,
    ROUNDS,
    Predict,
    as_table,
    collect,
    one_run,
    rows_of,
    scores_of,
    split,
    table_of,
)
from dmlkit import connect
from dmlkit.boosting import XGBClassifier
from dmlkit.errors import DmlkitError


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on both in turn, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=40)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json")
    options = parser.parse_args(arguments)
    held_out = rows_of(10_000, PARTITION_ROWS, options.features)
    runs: dict[str, list[dict[str, float]]] = {"cpu": [], "cuda": []}
    try:
        with connect(gpus=1) as client:
            table = table_of(options.rows, options.features).persist()
            distributed.wait(table)
            for _ in range(options.repeat):
                for device, of in runs.items():
                    of.append(one_run(trained_on(device), table, held_out, client))
    except DmlkitError as error:
        sys.exit(str(error))
    results = collect(runs, options.rows, options.features)
    Console().print(as_table(results))
    if options.json:
        write_results(options.json, results)


def trained_on(device: str) -> Any:
    """Return what trains on a device, as a system of `benchmarks.training`."""

    def train(table: Any, client: Any) -> Predict:  # noqa: ARG001
        model = XGBClassifier(n_estimators=ROUNDS, device=device, **PARAMETERS)
        return scores_of(model.fit(*split(table)).get_booster())

    return train


if __name__ == "__main__":
    main()
