"""Training on GPUs; skipped where there is none, or the extra ``gpu`` is not installed."""

import shutil
from collections.abc import Iterator
from importlib.util import find_spec

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from dmlkit import connect
from dmlkit.boosting import XGBClassifier

pytestmark = pytest.mark.skipif(
    shutil.which("nvidia-smi") is None or find_spec("dask_cuda") is None,
    reason="needs nvidia-smi and dask-cuda",
)

ROWS = 400_000


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with connect(gpus=1) as client:
        yield client


@pytest.fixture(scope="module")
def table() -> dd.DataFrame:
    random = np.random.default_rng(0)
    rows = pd.DataFrame(random.normal(size=(ROWS, 10)), columns=list("abcdefghij"))
    rows.loc[::20, "a"] = np.nan
    rows["label"] = (rows["b"] * rows["c"] + random.normal(size=ROWS) > 1).astype(int)
    return dd.from_pandas(rows, npartitions=8)


def auc(table: dd.DataFrame, **parameters: object) -> float:
    X, y = table.drop(columns="label"), table["label"]
    model = XGBClassifier(n_estimators=20, eval_metric="auc", **parameters)
    history = model.fit(X, y, eval_set=[(X, y)]).evals_result()
    assert model.device_ == parameters["device"]
    return history["validation_0"]["auc"][-1]


def test_auto_takes_the_gpu(client: Client, table: dd.DataFrame) -> None:
    model = XGBClassifier(n_estimators=2).fit(table.drop(columns="label"), table["label"])
    assert model.device_ == "cuda"
    assert "GPU" in model.device_reason_


@pytest.mark.parametrize("external_memory", [False, True])
def test_it_is_as_good_as_on_cores(
    client: Client, table: dd.DataFrame, external_memory: bool
) -> None:
    on_gpu = auc(table, device="cuda", external_memory=external_memory)
    assert on_gpu == pytest.approx(auc(table, device="cpu"), abs=0.002)
