"""Model bundles: everything that scoring needs in one folder, checked before it is loaded.

A bundle holds ``model.ubj``, others where there are several, and JSON: no pickle, so that loading
one runs no code. The file ``SHA256SUMS`` (``sha256sum -c`` reads it too) has the hash of each file:
what is damaged never reaches XGBoost, which a damaged model can crash. It guards against accidents
and careless edits; who can write the folder can write the sums too.
"""

import hashlib
import importlib.metadata
import json
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dmlkit.boosting.classifier import XGBClassifier
from dmlkit.boosting.model import XGBModel
from dmlkit.boosting.prediction import raw_model
from dmlkit.boosting.ranker import XGBRanker
from dmlkit.boosting.regressor import XGBRegressor
from dmlkit.boosting.shown import html_of_bundle
from dmlkit.boosting.stored_bundle import local_copy, send
from dmlkit.errors import BundleError, MissingFileError, OutputError
from dmlkit.tables.folders import StoreFolder, find_folder

__all__ = [
    "Bundle",
    "check_listed",
    "check_sums",
    "check_version",
    "load_bundle",
    "model_of",
    "put_in_place",
    "read_json",
    "save_bundle",
    "sha256_of",
    "told_of",
]

#: Of the layout of the folder.
VERSION = 1

SUMS = "SHA256SUMS"
MODEL = "model.ubj"
DOCUMENTS = ("bundle.json", "features.json", "schema.json", "metrics.json")
#: What a bundle may hold, by name.
KINDS = {kind.__name__: kind for kind in (XGBClassifier, XGBRegressor, XGBRanker)}
PACKAGES = ("dmlkit", "xgboost", "scikit-learn", "pandas", "numpy")


@dataclass(frozen=True)
class Bundle:
    """A model with what is needed to use it.

    Attributes
    ----------
    model : XGBClassifier, XGBRegressor or XGBRanker
        Fitted. Parameters that are functions are not kept.
    features : dict
        A feature set, from `FeatureSet.to_dict`.
    schema : dict
        Of the raw table, from `Schema.to_dict`.
    threshold : float or None
        The score from which on a row is flagged; None where rows are not flagged.
    metadata : dict
        Such as the names of columns and of the label.
    metrics : dict
        How the model was judged.
    versions : dict
        Of the packages that made it; filled in by `save_bundle`.
    more : tuple of models
        Further ones, such as those of the later steps of a forecast.
    """

    model: XGBModel
    features: dict[str, Any]
    schema: dict[str, Any]
    threshold: float | None
    metadata: dict[str, Any]
    metrics: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    more: tuple[XGBModel, ...] = ()

    _repr_html_ = html_of_bundle

    @property
    def models(self) -> tuple[XGBModel, ...]:
        """All models, in order."""
        return (self.model, *self.more)

    def flagged_from(self) -> float:
        """Return the threshold.

        Raises
        ------
        BundleError
            There is none.
        """
        if self.threshold is None:
            raise BundleError("The model of this bundle gives scores, but flags no rows.")
        return self.threshold


def save_bundle(path: str | Path, bundle: Bundle) -> None:
    """Write a bundle, whole or not at all; an earlier bundle there is replaced.

    Parameters
    ----------
    path : str or Path
        A folder, or a prefix in an object store such as ``s3://bucket/model``.
    bundle : Bundle

    Raises
    ------
    OutputError
        The folder cannot be written, or holds something else.
    """
    stored = find_folder(path)
    if isinstance(stored, StoreFolder):
        send(stored, lambda folder: _write(folder, bundle), SUMS)
        return
    path = Path(path)
    if path.exists() and not (path / SUMS).is_file():
        raise OutputError(f"{str(path)!r} is there and no model bundle. Name another folder.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        try:
            _write(staging, bundle)
            staging.chmod(0o755)
            put_in_place(staging, path)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise OutputError(f"Cannot write the bundle {str(path)!r}: {error.strerror}.") from error


def load_bundle(path: str | Path) -> Bundle:
    """Read a bundle, after the hash of each of its files was found right.

    Parameters
    ----------
    path : str or Path
        A folder, or a prefix in an object store such as ``s3://bucket/out/model``.

    Raises
    ------
    MissingFileError
        There is no bundle.
    BundleError
        A file is missing, damaged or altered, or the bundle is of a newer version.
    """
    stored = find_folder(path)
    if isinstance(stored, StoreFolder):
        with local_copy(stored) as copy:
            return load_bundle(copy)
    path = Path(path)
    check_sums(path)
    check_version(path, read_json(path / "bundle.json"))
    check_listed(path, DOCUMENTS)
    documents = {name: read_json(path / name) for name in DOCUMENTS}
    head = documents["bundle.json"]
    told = [head["model"], *head.get("more", ())]
    names = _model_files(len(told))
    check_listed(path, names)
    model, *more = (
        model_of((path / name).read_bytes(), each) for name, each in zip(names, told, strict=True)
    )
    return Bundle(
        model=model,
        features=documents["features.json"],
        schema=documents["schema.json"],
        threshold=head["threshold"],
        metadata=head["metadata"],
        metrics=documents["metrics.json"],
        versions=head["versions"],
        more=tuple(more),
    )


def _write(folder: Path, bundle: Bundle) -> None:
    models = _model_files(len(bundle.models))
    for name, model in zip(models, bundle.models, strict=True):
        (folder / name).write_bytes(raw_model(model.get_booster()))
    head = {
        "version": VERSION,
        "threshold": bundle.threshold,
        "metadata": bundle.metadata,
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "model": told_of(bundle.model),
        "more": [told_of(model) for model in bundle.more],
    }
    contents = (head, bundle.features, bundle.schema, bundle.metrics)
    for name, content in zip(DOCUMENTS, contents, strict=True):
        text = json.dumps(content, indent=1)
        (folder / name).write_text(text + "\n", encoding="utf-8")
    lines = [f"{sha256_of(folder / name)}  {name}\n" for name in (*models, *DOCUMENTS)]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def _model_files(count: int) -> list[str]:
    return [MODEL, *(f"model-{number}.ubj" for number in range(2, count + 1))]


def told_of(model: XGBModel) -> dict[str, Any]:
    """Return what a fitted model is besides its booster."""
    parameters = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in model.get_params().items()
        if not callable(value) and name != "callbacks"
    }
    classes = {"classes": len(model.classes_)} if isinstance(model, XGBClassifier) else {}
    return {
        "kind": type(model).__name__,
        "parameters": parameters,
        **classes,
        "device": [model.device_, model.device_reason_],
        "history": model.evals_result(),
    }


def model_of(raw: bytes, told: dict[str, Any]) -> XGBModel:
    """Make a model from its booster and from what `told_of` returned."""
    classes = {"classes": told["classes"]} if "classes" in told else {}
    return KINDS[told["kind"]].from_raw(
        raw,
        parameters=told["parameters"],
        history=told["history"],
        device=tuple(told["device"]),
        **classes,
    )


def put_in_place(staging: Path, path: Path) -> None:
    """Let a folder take the place of another one, or leave that as it is."""
    if path.exists():
        replaced = Path(tempfile.mkdtemp(prefix=f".{path.name}-replaced-", dir=path.parent))
        try:
            path.replace(replaced / path.name)
            staging.replace(path)
        finally:
            if not path.exists():  # interrupted in between: the old one is the one there is
                (replaced / path.name).replace(path)
            shutil.rmtree(replaced, ignore_errors=True)
    else:
        staging.replace(path)


def check_sums(path: Path) -> None:
    """Raise when there is no bundle, or when a file of it is not as its sum says."""
    if not path.is_dir():
        raise MissingFileError(
            f"There is no model bundle {str(path)!r}. It is the folder 'model' of a finished run."
        )
    if not (path / SUMS).is_file():
        raise BundleError(f"{str(path)!r} is no model bundle: it has no {SUMS}.")
    check_listed(path, ("bundle.json",))  # more may differ in a newer version
    for name, digest in _read_sums(path).items():
        if not (path / name).is_file():
            raise BundleError(f"The bundle {str(path)!r} is not whole: {name} is missing. {COPY}")
        if sha256_of(path / name) != digest:
            raise BundleError(
                f"{name} in the bundle {str(path)!r} is damaged or was altered: its SHA-256 is not "
                f"that of {SUMS}. {COPY}"
            )


def check_listed(path: Path, names: Iterable[str]) -> None:
    """Raise for the first of `names` that has no sum: it was not checked."""
    sums = _read_sums(path)
    for name in names:
        if name not in sums:
            raise BundleError(f"{SUMS} of the bundle {str(path)!r} lacks {name}. {COPY}")


COPY = "Copy the bundle again from where it was made, or train again."


def _read_sums(path: Path) -> dict[str, str]:
    try:
        lines = (path / SUMS).read_text(encoding="utf-8").splitlines()
        pairs = (line.split(maxsplit=1) for line in lines if line.strip())
        return {name: digest for digest, name in pairs}
    except (UnicodeDecodeError, ValueError):
        raise BundleError(f"{SUMS} in the bundle {str(path)!r} is damaged. {COPY}") from None


def check_version(path: Path, head: dict[str, Any]) -> None:
    """Raise when a bundle is of a newer version."""
    if head.get("version", 0) > VERSION:
        made_by = head.get("versions", {}).get("dmlkit", "a newer dmlkit")
        raise BundleError(
            f"The bundle {str(path)!r} is of version {head['version']}, made by dmlkit {made_by}; "
            f"this dmlkit reads up to {VERSION}. Update dmlkit."
        )


def read_json(path: Path) -> Any:
    """Return what a file of a bundle holds."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BundleError(f"{str(path)!r} is no JSON: {error}. {COPY}") from None


def sha256_of(path: Path) -> str:
    """Return the hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
