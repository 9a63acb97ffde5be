"""Whether two systems made the same table: every column of a sample of customers, row by row."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset

from benchmarks.windows.job import CUSTOMER, INPUT, JOBS, feature_types

__all__ = ["Sample", "differences", "sample_of"]

#: About so many rows are compared; of more, all rows of each n-th customer.
ROWS_COMPARED = 1_000_000

#: Of float32, which holds 7 digits: systems that add doubles up in another order differ by one or
#: two of its steps (1.2e-7 each).
RELATIVE = 1e-6

#: Of a deviation, in parts of the largest value there is: where a window's values are nearly equal,
#: a running sum of squares leaves nothing but its own rounding, 2.2e-16 of what it once was; the
#: root of that is 1.5e-8. This allows for some more of it, and is a bound: of a million rows two
#: deviations of the floor were farther off than `RELATIVE`, by 7e-12 of the largest value.
OF_LARGEST = 1e-7


@dataclass(frozen=True)
class Sample:
    """What is compared of a result.

    Attributes
    ----------
    rows : int
        Of the whole table.
    types : dict of str to str
        Of the features.
    columns : dict of str to array
        Of the sample, by transaction.
    """

    rows: int
    types: dict[str, str]
    columns: dict[str, np.ndarray]


def sample_of(folder: Path) -> Sample:
    """Read what is compared of a folder of Parquet files."""
    table = pyarrow.dataset.dataset(folder, format="parquet")
    rows = table.count_rows()
    every = max(1, rows // ROWS_COMPARED)
    there = [name for name in (*INPUT, *feature_types()) if name in table.schema.names]
    kept = [
        batch.filter(pa.array(_numbers(batch["customer_id"]) % every == 0))
        for batch in table.to_batches(columns=there)
    ]
    sample = pa.Table.from_batches(kept).sort_by("tx_id")
    types = {name: str(sample.schema.field(name).type) for name in there if name not in INPUT}
    return Sample(rows, types, {name: _numbers(sample[name]) for name in there})


def differences(expected: Sample, found: Sample) -> list[str]:
    """Return a sentence for each thing in which a result is not the expected one.

    Counts, maxima and the columns of the input must be equal, sums, means and deviations nearly;
    what is missing must be so in both.
    """
    if found.rows != expected.rows:
        return [f"{found.rows:,} rows instead of {expected.rows:,}"]
    if found.types != expected.types:
        wrong = sorted(set(expected.types.items()) ^ set(found.types.items()))
        return [f"features or their types differ: {', '.join(map(' '.join, wrong))}"]
    if not np.array_equal(found.columns["tx_id"], expected.columns["tx_id"]):
        return ["other transactions"]
    told = (_difference(name, expected, found) for name in (*INPUT, *feature_types()))
    return [sentence for sentence in told if sentence]


def _difference(name: str, expected: Sample, found: Sample) -> str | None:
    ours, theirs = expected.columns[name], found.columns[name]
    aggregate = _AGGREGATES.get(name)
    if aggregate in ("sum", "mean", "std"):
        ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
        largest = np.nanmax(expected.columns[CUSTOMER.value], initial=0.0)
        absolute = OF_LARGEST * largest if aggregate == "std" else 0.0
        equal = np.isclose(theirs, ours, rtol=RELATIVE, atol=absolute, equal_nan=True)
    else:
        equal = ours == theirs
    if equal.all():
        return None
    row = int(np.argmin(equal))
    return (
        f"{name}: {np.count_nonzero(~equal):,} of {len(equal):,} rows differ, such as transaction "
        f"{expected.columns['tx_id'][row]}: {theirs[row]} instead of {ours[row]}"
    )


_AGGREGATES = {
    windows.name(aggregate, length): aggregate
    for windows in JOBS
    for aggregate in windows.aggregates
    for length in windows.lengths
}


def _numbers(column: Any) -> np.ndarray:
    """Return a column as an array; missing numbers are NaN, and times microseconds."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us")).cast(pa.int64())
    copied = {"zero_copy_only": False} if isinstance(column, pa.Array) else {}
    return np.asarray(column.to_numpy(**copied))
