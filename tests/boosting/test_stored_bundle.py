"""Bundles in an object store, by a real HTTP S3 server in a process of its own."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xgboost

from dmlkit.boosting import Bundle, XGBClassifier, load_bundle, save_bundle
from dmlkit.errors import BundleError, MissingFileError, OutputError
from dmlkit.tables.folders import StoreFolder
from tests.tables.stores import make_bucket, s3_server, variables

pytest.importorskip("moto.server")
pytest.importorskip("s3fs")


@pytest.fixture(scope="module")
def environment() -> Iterator[None]:
    with s3_server() as found, variables(found):
        make_bucket(found, "models")
        yield


@pytest.fixture
def stored(
    environment: None, payments: pd.DataFrame, request: pytest.FixtureRequest
) -> tuple[str, Bundle]:
    """A bundle, and where it was saved."""
    matrix = xgboost.DMatrix(payments[["amount", "hour"]], label=payments["fraud"])
    booster = xgboost.train({"objective": "binary:logistic"}, matrix, num_boost_round=8)
    model = XGBClassifier.from_raw(bytes(booster.save_raw("ubj")), parameters={}, classes=2)
    bundle = Bundle(model, {"steps": []}, {"columns": []}, 0.25, {"label": "fraud"}, {"auc": 0.5})
    path = f"s3://models/{request.node.name[:40]}/model"
    save_bundle(path, bundle)
    return path, bundle


def test_what_is_loaded_predicts_as_what_was_saved(
    stored: tuple[str, Bundle], payments: pd.DataFrame
) -> None:
    path, bundle = stored
    rows = payments[["amount", "hour"]]
    loaded = load_bundle(path)
    assert np.array_equal(loaded.model.predict_proba(rows), bundle.model.predict_proba(rows))
    assert loaded.metrics == {"auc": 0.5}


def test_a_damaged_object_is_told_by_its_address(stored: tuple[str, Bundle]) -> None:
    path, _ = stored
    folder = StoreFolder(path)
    folder.write("model.ubj", folder.read("model.ubj")[:-1] + b"x")
    with pytest.raises(BundleError, match=rf"model.ubj in the bundle '{path}' is damaged"):
        load_bundle(path)
    assert not [*Path(tempfile.gettempdir()).glob("dmlkit-bundle-*")]


def test_a_bundle_that_was_not_sent_whole_is_none(
    stored: tuple[str, Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, bundle = stored
    write = StoreFolder.write

    def failing(self: StoreFolder, name: str, content: bytes) -> None:
        if name == "schema.json":
            raise ConnectionError("the store went away")
        write(self, name, content)

    monkeypatch.setattr(StoreFolder, "write", failing)
    with pytest.raises(OutputError, match=rf"Cannot write the bundle '{path}': the store went"):
        save_bundle(path, bundle)
    with pytest.raises(BundleError, match="it has no SHA256SUMS"):
        load_bundle(path)


def test_what_is_no_bundle_is_neither_read_nor_replaced(stored: tuple[str, Bundle]) -> None:
    _, bundle = stored
    StoreFolder("s3://models/thesis").write("chapter", b"years of work")
    with pytest.raises(OutputError, match="no model bundle"):
        save_bundle("s3://models/thesis", bundle)
    with pytest.raises(BundleError, match="it has no SHA256SUMS"):
        load_bundle("s3://models/thesis")
    with pytest.raises(MissingFileError, match="no model bundle 's3://models/nothing'"):
        load_bundle("s3://models/nothing")
    with pytest.raises(BundleError, match="Cannot read the bundle 's3://no-bucket/model'"):
        load_bundle("s3://no-bucket/model")
