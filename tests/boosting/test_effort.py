"""Whether a process waits in XGBoost, or does something, or waits for something else."""

import subprocess
import sys

#: A process with two ranks: the second one comes after three seconds.
TRAINS = """
import os, threading, time
import numpy as np
import xgboost
from xgboost import collective
from xgboost.tracker import RabitTracker
from dmlkit.boosting.effort import Waiting

told = {}

def look():
    waiting = Waiting()
    waiting.look()
    for phase in ("busy", "asleep", "waits"):
        started[phase].wait()
        time.sleep(0.3)
        waiting.look()
        time.sleep(0.5)
        told[phase] = waiting.look()
        done[phase].set()

def tell():
    done["waits"].wait()
    print(told, flush=True)
    os._exit(0)

started = {phase: threading.Event() for phase in ("busy", "asleep", "waits")}
done = {phase: threading.Event() for phase in started}
threading.Thread(target=look, daemon=True).start()
started["busy"].set()
matrix = xgboost.DMatrix(np.random.rand(100_000, 10), label=np.random.rand(100_000))
while not done["busy"].is_set():
    xgboost.train({"nthread": 1}, matrix, num_boost_round=3)
started["asleep"].set()
while not done["asleep"].is_set():
    time.sleep(2)
tracker = RabitTracker(n_workers=2, host_ip="127.0.0.1")
tracker.start()
started["waits"].set()
threading.Thread(target=tell, daemon=True).start()
collective.init(**tracker.worker_args(), dmlc_task_id="0")
"""


def test_only_who_waits_for_others_is_said_to_wait() -> None:
    told = subprocess.run(
        [sys.executable, "-c", TRAINS], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert told.splitlines()[-1] == "{'busy': False, 'asleep': False, 'waits': True}"
