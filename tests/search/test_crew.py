"""Trials of a worker share its threads, and memory that they free stays with it meanwhile."""

import ctypes
import os
import subprocess
import sys

import numpy as np
import pytest
import xgboost
from threadpoolctl import threadpool_info, threadpool_limits

from dmlkit.boosting.plan import Plan
from dmlkit.boosting.rounds import boost
from dmlkit.search.crew import Crew

PROBE = """
import gc, resource
import numpy as np
from dmlkit.search.crew import Crew

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.ones(1 << 20)  # 8 MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

first = faults()
crew = Crew(1)
np.ones(1 << 20)
kept = faults()
del crew
gc.collect()
print(first, kept, faults())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="no glibc")
def test_freed_memory_is_kept_while_there_is_a_crew_and_given_back_then() -> None:
    environment = os.environ | {"MALLOC_TRIM_THRESHOLD_": "65536"}
    told = subprocess.run(
        [sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=True
    )
    before, meanwhile, after = map(int, told.stdout.split())
    assert meanwhile < min(before, after) / 5


def test_all_threads_are_allowed_though_dask_allows_one() -> None:
    def allowed() -> set[int]:
        return {of["num_threads"] for of in threadpool_info() if of["user_api"] == "openmp"}

    with threadpool_limits(1, "openmp"):
        with Crew(3).joined():
            assert allowed() == {3}
        assert allowed() == {1}


def test_trees_do_not_depend_on_how_many_threads_a_trial_has_when() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(5_000, 4))
    matrix = xgboost.QuantileDMatrix(values, values[:, 0] * values[:, 1])
    features = tuple(map(str, range(4)))
    parameters = {"objective": "reg:squarederror", "subsample": 0.5}
    plan = Plan(parameters, 6, (), (), None, features, checkpoint_every=0)
    asked = []

    def share() -> int:
        asked.append(1 + len(asked) % 2)
        return asked[-1]

    with xgboost.config_context(verbosity=0):
        alone, shared = (
            boost(plan, matrix, [], threads, None, lambda *_: None, lambda _: None).raw
            for threads in (1, share)
        )
    assert len(asked) > 6
    trees = [xgboost.Booster(model_file=bytearray(raw)).get_dump() for raw in (alone, shared)]
    assert trees[0] == trees[1]
