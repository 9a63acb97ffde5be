"""The simulated fleet behind generated sensor tables: machines that wear, fail, or still run.

Machines are drawn in blocks of a fixed size from random numbers of the block's own, so that any
block can be made alone. Turning blocks into a table is the business of `generate`.
"""

import numpy as np
import pandas as pd

__all__ = ["MACHINES_PER_BLOCK", "simulate_machines"]

MACHINES_PER_BLOCK = 50
#: Hours of life: a shortest one, and the mean of what comes on top of it.
SHORTEST, MORE = 120, 90
#: The share of machines that still run when the table ends.
STILL_RUNNING = 0.15
#: Level, spread of readings, spread between machines, and what wear adds at failure.
SENSORS = {
    "temperature": (70.0, 1.2, 2.0, 9.0),
    "vibration": (2.0, 0.25, 0.3, 1.9),
    "pressure": (30.0, 0.6, 1.0, -3.5),
    "current": (12.0, 0.4, 0.5, 1.4),
    "noise": (55.0, 2.0, 2.0, 0.0),
}


def simulate_machines(block: int, machines: int, seed: int) -> pd.DataFrame:
    """Return the hourly readings of a block of machines, by machine and time.

    Parameters
    ----------
    block : int
        From 0.
    machines : int
        In this block, up to `MACHINES_PER_BLOCK`.
    seed : int
    """
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, block])))
    life = SHORTEST + np.rint(random.gamma(2.5, MORE / 2.5, machines)).astype(np.int64)
    runs = random.random(machines) < STILL_RUNNING
    seen = np.where(runs, np.rint(life * random.uniform(0.3, 0.95, machines)), life)
    seen = seen.astype(np.int64)
    machine = np.repeat(np.arange(machines), seen)
    hour = np.concatenate([np.arange(hours) for hours in seen])
    # Wear is slow at first and fast at the end; how fast differs from machine to machine.
    bend = random.uniform(2.5, 6.0, machines)
    wear = ((hour + 1) / life[machine]) ** bend[machine]
    load = 0.75 + 0.2 * np.sin(2 * np.pi * hour / 24) + random.normal(0, 0.05, len(hour))
    start = np.datetime64("2025-01-01", "h") + random.integers(0, 90 * 24, machines)
    columns = {
        "machine_id": (block * MACHINES_PER_BLOCK + machine).astype(np.int32),
        "time": (start[machine] + hour).astype("datetime64[us]"),
        "load": load,
    }
    for name, (level, spread, between, added) in SENSORS.items():
        own = level + random.normal(0, between, machines)
        # A machine under load is hotter and louder: readings follow the load as well as the wear.
        reading = own[machine] + added * wear + spread * (2 * (load - 0.75))
        columns[name] = (reading + random.normal(0, spread, len(hour))).round(3)
    last = np.r_[np.diff(machine) > 0, True]
    columns["failed"] = (last & ~runs[machine]).astype(np.int8)
    return pd.DataFrame(columns)
