"""Bundles: whole, checked, without pickle; what is damaged never reaches XGBoost."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xgboost

from dmlkit.boosting import Bundle, XGBClassifier, load_bundle, save_bundle
from dmlkit.errors import BundleError, MissingFileError, OutputError

FILES = ["model.ubj", "bundle.json", "features.json", "schema.json", "metrics.json", "SHA256SUMS"]


@pytest.fixture(scope="module")
def bundle(payments: pd.DataFrame) -> Bundle:
    matrix = xgboost.DMatrix(payments[["amount", "hour"]], label=payments["fraud"])
    booster = xgboost.train({"objective": "binary:logistic"}, matrix, num_boost_round=8)
    raw = bytes(booster.save_raw("ubj"))
    model = XGBClassifier.from_raw(raw, parameters={"max_depth": 6}, classes=2)
    return Bundle(model, {"steps": []}, {"columns": []}, 0.25, {"label": "fraud"}, {"auc": 0.5})


@pytest.fixture
def folder(bundle: Bundle, tmp_path: Path) -> Path:
    save_bundle(tmp_path / "model", bundle)
    return tmp_path / "model"


def resign(folder: Path) -> None:
    """Write the sums anew, as somebody who means to deceive could."""
    names = [line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()]
    lines = [f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in names]
    (folder / "SHA256SUMS").write_text("".join(lines))


def test_what_is_loaded_predicts_bit_for_bit_what_was_saved(
    folder: Path, bundle: Bundle, payments: pd.DataFrame
) -> None:
    loaded = load_bundle(folder)
    rows = payments[["amount", "hour"]]
    assert np.array_equal(loaded.model.predict_proba(rows), bundle.model.predict_proba(rows))
    assert (loaded.features, loaded.schema, loaded.threshold, loaded.metadata, loaded.metrics) == (
        bundle.features,
        bundle.schema,
        bundle.threshold,
        bundle.metadata,
        bundle.metrics,
    )
    assert loaded.versions["xgboost"] == xgboost.__version__
    assert loaded.model.get_params()["max_depth"] == 6


def test_there_is_no_pickle_and_the_sums_are_those_of_sha256sum(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=folder, check=True)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["cut", "changed", "emptied", "removed"])
def test_a_damaged_file_is_told_and_nothing_crashes(folder: Path, name: str, damage: str) -> None:
    file = folder / name
    content = file.read_bytes()
    if damage == "removed":
        file.unlink()
    elif damage == "changed":
        middle = len(content) // 2
        file.write_bytes(content[:middle] + b"\xff\x00" + content[middle + 2 :])
    else:
        file.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    with pytest.raises(BundleError, match=name):
        load_bundle(folder)


def test_a_newer_version_asks_for_an_update(folder: Path) -> None:
    head = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps(head | {"version": 99}))
    resign(folder)
    with pytest.raises(BundleError, match=r"of version 99, .* Update dmlkit"):
        load_bundle(folder)


def test_a_wrong_path_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no model bundle"):
        load_bundle(tmp_path / "nothing")
    (tmp_path / "other").mkdir()
    with pytest.raises(BundleError, match="has no SHA256SUMS"):
        load_bundle(tmp_path / "other")


def test_a_bundle_replaces_a_bundle_but_nothing_else(
    folder: Path, bundle: Bundle, tmp_path: Path
) -> None:
    save_bundle(folder, bundle)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]
    (tmp_path / "thesis").mkdir()
    with pytest.raises(OutputError, match="no model bundle"):
        save_bundle(tmp_path / "thesis", bundle)


def test_a_bundle_that_cannot_be_written_leaves_the_old_one(
    folder: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (folder / "SHA256SUMS").read_text()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OutputError, match="No space left on device"):
        save_bundle(folder, bundle)
    assert (folder / "SHA256SUMS").read_text() == before
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_the_old_bundle_comes_back_where_the_new_one_cannot_take_its_place(
    folder: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def denied(source: Path, target: Path) -> Path:
        if target == folder:
            calls.append(source)
            if len(calls) == 1:
                raise OSError(13, "Permission denied")
        return replace(source, target)

    calls: list[Path] = []
    monkeypatch.setattr(Path, "replace", denied)
    with pytest.raises(OutputError, match="Permission denied"):
        save_bundle(folder, bundle)
    assert load_bundle(folder).threshold == bundle.threshold
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


@pytest.mark.parametrize("name", FILES[:-1])
def test_a_file_without_a_sum_is_not_loaded(folder: Path, name: str) -> None:
    lines = (folder / "SHA256SUMS").read_text().splitlines(keepends=True)
    (folder / "SHA256SUMS").write_text("".join(line for line in lines if name not in line))
    with pytest.raises(BundleError, match=f"lacks {name}"):
        load_bundle(folder)
