"""What readers see while a job replaces its artefacts in a store, or was killed as it did."""

from collections.abc import Callable, Iterator
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import xgboost

from dmlkit import read_table, write_table
from dmlkit.boosting import Bundle, XGBClassifier, load_bundle, save_bundle
from dmlkit.errors import DmlkitError, InputError, MissingFileError
from dmlkit.tables.folders import StoreFolder
from dmlkit.workflow import store_output
from dmlkit.workflow.destination import find_destination
from tests import jobs
from tests.tables.stores import make_bucket, s3_server, variables

pytest.importorskip("moto.server")
pytest.importorskip("s3fs")

MANIFEST = '{"workflow": "w", "artefacts": {}}'


@pytest.fixture(autouse=True)
def _in_this_thread() -> Iterator[None]:
    with dask.config.set(scheduler="sync"):
        yield


@pytest.fixture(scope="module")
def environment() -> Iterator[None]:
    with s3_server() as found, variables(found):
        make_bucket(found, "jobs")
        yield


@pytest.fixture
def out(environment: None, request: pytest.FixtureRequest) -> str:
    """A prefix for each test."""
    return f"s3://jobs/{request.node.name[:50]}/out"


def publish(out: str, number: int) -> None:
    """Publish a table of two files and a model, both of which tell a number."""
    matrix = xgboost.DMatrix(np.zeros((4, 1)), label=[0, 1, 0, 1])
    booster = xgboost.train({"objective": "binary:logistic"}, matrix, num_boost_round=1)
    model = XGBClassifier.from_raw(bytes(booster.save_raw("ubj")), parameters={}, classes=2)
    bundle = Bundle(model, {}, {}, None, {}, {"number": number})
    rows = dd.from_pandas(pd.DataFrame({"number": [number] * 4}), npartitions=2)
    with find_destination(out).claimed() as staging:
        save_bundle(staging.folder / "model", bundle)
        write_table(rows, f"{staging.tables}/scores")
        (staging.folder / "manifest.json").write_text(MANIFEST)
        staging.publish("manifest.json")


def number_of_table(out: str) -> float:
    numbers = read_table(f"{out}/scores").number.compute()
    assert len(numbers) == 4
    return float(numbers.mean())


def number_of_model(out: str) -> float:
    return float(load_bundle(f"{out}/model").metrics["number"])


def seen(look: Callable[[str], float], out: str) -> str:
    try:
        return str(look(out))
    except DmlkitError as error:
        return "told" if "run it again with --resume" in str(error) else str(error)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch, out: str) -> list[tuple[str, str]]:
    """What a reader sees of table and model after each object that is put or removed."""
    found: list[tuple[str, str]] = []
    copy = store_output.copy_objects

    def look() -> None:
        found.append((seen(number_of_table, out), seen(number_of_model, out)))

    def one_by_one(source: StoreFolder, target: StoreFolder, paths: list[str]) -> None:
        for path in paths:
            copy(source, target, [path])
            look()

    def watched(remove: Any) -> Any:
        def removed(folder: StoreFolder, path: str) -> None:
            remove(folder, path)
            look()

        return removed

    publish(out, 1)
    monkeypatch.setattr(store_output, "copy_objects", one_by_one)
    for name in ("remove", "remove_folder"):
        monkeypatch.setattr(StoreFolder, name, watched(getattr(StoreFolder, name)))
    return found


def test_readers_see_the_old_or_the_new_or_are_told(looks: list[tuple[str, str]], out: str) -> None:
    publish(out, 2)
    for states in zip(*looks, strict=True):
        assert list(dict.fromkeys(states)) == ["1.0", "told", "2.0"]
    assert not [name for name in StoreFolder(out).names() if name.startswith(".")]


class Killed(BaseException):
    """Stands for a signal that nothing catches."""


def test_a_job_that_was_killed_as_it_published_is_told_of_until_it_is_run_again(
    out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise Killed

    publish(out, 1)
    copy = store_output.copy_objects
    with monkeypatch.context() as patched:
        patched.setattr(store_output, "copy_objects", killed)
        with pytest.raises(Killed):
            publish(out, 2)
    with pytest.raises(MissingFileError, match=r"no model bundle .* run it again with --resume"):
        load_bundle(f"{out}/model")
    with pytest.raises(MissingFileError, match=r"no file or folder .* run it again with --resume"):
        read_table(f"{out}/scores")
    outcome = jobs.dmlkit("score", f"{out}/model", "--data", "x", "--out", "y")
    assert (outcome.code, "run it again with --resume" in outcome.stderr) == (1, True)

    def in_part(source: StoreFolder, target: StoreFolder, paths: list[str]) -> None:
        copy(source, target, [path for path in paths if path.startswith("scores/part")])
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(store_output, "copy_objects", in_part)
        with pytest.raises(Killed):
            publish(out, 2)
    for glob in ("scores", "scores/*.parquet"):
        with pytest.raises(InputError, match=r"not whole.* run it again with --resume"):
            read_table(f"{out}/{glob}")
    publish(out, 3)
    assert (number_of_table(out), number_of_model(out)) == (3, 3)


def test_what_is_beside_the_artefacts_can_be_read_meanwhile(out: str) -> None:
    folder = StoreFolder(out)
    folder.write(".publishing", b'["scores"]')
    folder.write("quarantine/bad.csv", b"a\n1\n")
    assert len(read_table(f"{out}/quarantine")) == 1
