"""Any fitted estimator in a folder, without pickle: `save_estimator` and `load_estimator`.

What a job needs to score raw rows is more than a model: see `dmlkit.boosting.save_bundle`.
"""

import dataclasses
import json
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dmlkit import clustering, ensemble, linear_model, mixture, naive_bayes
from dmlkit.boosting.bundle import (
    KINDS,
    MODEL,
    PACKAGES,
    SUMS,
    VERSION,
    check_listed,
    check_sums,
    check_version,
    model_of,
    put_in_place,
    read_json,
    sha256_of,
    told_of,
)
from dmlkit.boosting.model import XGBModel
from dmlkit.boosting.prediction import raw_model
from dmlkit.errors import BundleError, ConfigurationError, NotFittedError, OutputError
from dmlkit.kept_values import plain, restored
from dmlkit.metrics import Calibrator
from dmlkit.preprocessing import Transformer, transformer_from_dict

__all__ = ["load_estimator", "save_estimator"]

#: Estimators that are dataclasses, by name.
ESTIMATORS = {
    name: getattr(package, name)
    for package in (clustering, ensemble, linear_model, mixture, naive_bayes)
    for name in package.__all__
}

HEAD = "bundle.json"


def save_estimator(path: str | Path, estimator: Any) -> None:
    """Write a fitted estimator to a folder, whole or not at all; an earlier one is replaced.

    Parameters
    ----------
    path : str or Path
    estimator : a fitted model or transformer of dmlkit

    Raises
    ------
    NotFittedError
    ConfigurationError
        It is none of dmlkit's, such as a model of scikit-learn's, or a parameter is of a type that
        is not kept.
    OutputError
        The folder cannot be written, or holds something else.

    Examples
    --------
    >>> import pandas as pd
    >>> from dmlkit.linear_model import Ridge
    >>> model = Ridge().fit(pd.DataFrame({"x": [0.0, 1.0]}), pd.Series([1.0, 3.0]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_estimator(f"{folder}/ridge", model)
    ...     again = load_estimator(f"{folder}/ridge")
    >>> bool(again.coef_ == model.coef_), again
    (True, Ridge(alpha=1.0, fit_intercept=True))
    """
    path = Path(path)
    if path.exists() and not (path / SUMS).is_file():
        raise OutputError(f"{str(path)!r} is there and no model bundle. Name another folder.")
    told, booster = _described(estimator)
    head = {
        "version": VERSION,
        "versions": {name: version(name) for name in PACKAGES},
        "estimator": told,
    }
    files = {HEAD: (json.dumps(head) + "\n").encode()}
    if booster is not None:
        files[MODEL] = booster
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        try:
            _write(staging, files)
            put_in_place(staging, path)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise OutputError(f"Cannot write the bundle {str(path)!r}: {error.strerror}.") from error


def load_estimator(path: str | Path) -> Any:
    """Read an estimator, after the hash of each of its files was found right.

    Raises
    ------
    MissingFileError
        There is none.
    BundleError
        A file is missing, damaged or altered, or the estimator is of a newer dmlkit.
    """
    path = Path(path)
    check_sums(path)
    head = read_json(path / HEAD)
    check_version(path, head)
    told = head.get("estimator")
    if told is None:
        raise BundleError(f"{str(path)!r} holds no single estimator: take load_bundle.")
    if "model" not in told:
        return _made(told, None)
    check_listed(path, (MODEL,))
    return _made(told, model_of((path / MODEL).read_bytes(), told["model"]))


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    lines = [f"{sha256_of(folder / name)}  {name}\n" for name in files]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
    folder.chmod(0o755)


def _described(estimator: Any) -> tuple[dict[str, Any], bytes | None]:
    """Return an estimator as values for JSON, and its booster if it has one."""
    kind = type(estimator).__name__
    if isinstance(estimator, XGBModel):
        booster = raw_model(estimator.get_booster())  # says so if it is not fitted
        return {"kind": kind, "model": told_of(estimator)}, booster
    if isinstance(estimator, Transformer):
        estimator.get_feature_names_out()
        return {"kind": "Transformer", "document": estimator.to_dict()}, None
    if isinstance(estimator, Calibrator):
        return {"kind": kind, "document": estimator.to_dict()}, None
    if ESTIMATORS.get(kind) is not type(estimator):
        raise ConfigurationError(
            f"A {kind} is no estimator of dmlkit. Bundles hold no pickle, which runs code when it "
            "is read, and models of scikit-learn's are not kept without: keep them as its own "
            "documentation says (skops, ONNX), and the training script with them."
        )
    parameters = [field.name for field in dataclasses.fields(estimator)]
    learned = {name: value for name, value in vars(estimator).items() if name not in parameters}
    if not learned:
        raise NotFittedError(f"This {kind} is not fitted yet: call fit first.")
    model = learned.pop("model_", None)
    told = {
        "kind": kind,
        "parameters": {name: plain(getattr(estimator, name), name) for name in parameters},
        "learned": {name: plain(value, name) for name, value in learned.items()},
    }
    if model is None:
        return told, None
    return {**told, "model": told_of(model)}, raw_model(model.get_booster())


def _made(told: dict[str, Any], model: XGBModel | None) -> Any:
    kind = told["kind"]
    if kind in KINDS:
        return model
    if kind == "Transformer":
        return transformer_from_dict(told["document"])
    if kind == "Calibrator":
        return Calibrator.from_dict(told["document"])
    if kind not in ESTIMATORS:
        raise BundleError(f"The bundle holds a {kind!r}, which this dmlkit lacks. Update dmlkit.")
    parameters = {name: restored(value) for name, value in told["parameters"].items()}
    estimator = ESTIMATORS[kind](**parameters)
    learned = {name: restored(value) for name, value in told["learned"].items()}
    for name, value in learned.items():
        setattr(estimator, name, value)
    if model is not None:
        estimator.model_ = model
    return estimator
