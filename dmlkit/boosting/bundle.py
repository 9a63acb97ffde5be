"""Model bundles: everything that scoring needs in one folder, checked before it is loaded.

A bundle holds ``model.ubj`` and JSON, no pickle, so that loading one runs no code. The file
``SHA256SUMS`` (``sha256sum -c`` reads it too) has the hash of each file: what is damaged never
reaches XGBoost, which a damaged model can crash. It guards against accidents and careless edits;
who can write the folder can write the sums too.
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
from dmlkit.boosting.prediction import raw_model
from dmlkit.errors import BundleError, MissingFileError, OutputError

__all__ = ["Bundle", "load_bundle", "save_bundle"]

#: Of the layout of the folder.
VERSION = 1

SUMS = "SHA256SUMS"
MODEL = "model.ubj"
DOCUMENTS = ("bundle.json", "features.json", "schema.json", "metrics.json")
PACKAGES = ("dmlkit", "xgboost", "scikit-learn", "pandas", "numpy")


@dataclass(frozen=True)
class Bundle:
    """A model with what is needed to use it.

    Attributes
    ----------
    model : XGBClassifier
        Fitted.
    features : dict
        A feature set, from `FeatureSet.to_dict`.
    schema : dict
        Of the raw table, from `Schema.to_dict`.
    threshold : float
        The score from which on a row is flagged.
    metadata : dict
        Such as the names of columns and of the label.
    metrics : dict
        How the model was judged.
    versions : dict
        Of the packages that made it; filled in by `save_bundle`.
    """

    model: XGBClassifier
    features: dict[str, Any]
    schema: dict[str, Any]
    threshold: float
    metadata: dict[str, Any]
    metrics: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)


def save_bundle(path: str | Path, bundle: Bundle) -> None:
    """Write a bundle to a folder, whole or not at all; an earlier bundle there is replaced.

    Raises
    ------
    OutputError
        The folder cannot be written, or holds something else.
    """
    path = Path(path)
    if path.exists() and not (path / SUMS).is_file():
        raise OutputError(f"{str(path)!r} is there and no model bundle. Name another folder.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        try:
            _write(staging, bundle)
            staging.chmod(0o755)
            _put_in_place(staging, path)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise OutputError(f"Cannot write the bundle {str(path)!r}: {error.strerror}.") from error


def load_bundle(path: str | Path) -> Bundle:
    """Read a bundle, after the hash of each of its files was found right.

    Raises
    ------
    MissingFileError
        There is no bundle.
    BundleError
        A file is missing, damaged or altered, or the bundle is of a newer version.
    """
    path = Path(path)
    _check_sums(path)
    _check_version(path, _read_json(path / "bundle.json"))
    _check_listed(path, (MODEL, *DOCUMENTS))
    documents = {name: _read_json(path / name) for name in DOCUMENTS}
    head = documents["bundle.json"]
    model = XGBClassifier.from_raw(
        (path / MODEL).read_bytes(),
        parameters=head["model"]["parameters"],
        classes=head["model"]["classes"],
        history=head["model"]["history"],
        device=tuple(head["model"]["device"]),
    )
    return Bundle(
        model=model,
        features=documents["features.json"],
        schema=documents["schema.json"],
        threshold=float(head["threshold"]),
        metadata=head["metadata"],
        metrics=documents["metrics.json"],
        versions=head["versions"],
    )


def _write(folder: Path, bundle: Bundle) -> None:
    (folder / MODEL).write_bytes(raw_model(bundle.model.get_booster()))
    head = {
        "version": VERSION,
        "threshold": bundle.threshold,
        "metadata": bundle.metadata,
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "model": {
            "kind": "XGBClassifier",
            "parameters": bundle.model.get_params(),
            "classes": len(bundle.model.classes_),
            "device": [bundle.model.device_, bundle.model.device_reason_],
            "history": bundle.model.evals_result(),
        },
    }
    contents = (head, bundle.features, bundle.schema, bundle.metrics)
    for name, content in zip(DOCUMENTS, contents, strict=True):
        text = json.dumps(content, indent=1)
        (folder / name).write_text(text + "\n", encoding="utf-8")
    lines = [f"{_sha256(folder / name)}  {name}\n" for name in (MODEL, *DOCUMENTS)]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def _put_in_place(staging: Path, path: Path) -> None:
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


def _check_sums(path: Path) -> None:
    if not path.is_dir():
        raise MissingFileError(
            f"There is no model bundle {str(path)!r}. It is the folder 'model' of a finished run."
        )
    if not (path / SUMS).is_file():
        raise BundleError(f"{str(path)!r} is no model bundle: it has no {SUMS}.")
    _check_listed(path, ("bundle.json",))  # more may differ in a newer version
    for name, digest in _read_sums(path).items():
        if not (path / name).is_file():
            raise BundleError(f"The bundle {str(path)!r} is not whole: {name} is missing. {COPY}")
        if _sha256(path / name) != digest:
            raise BundleError(
                f"{name} in the bundle {str(path)!r} is damaged or was altered: its SHA-256 is not "
                f"that of {SUMS}. {COPY}"
            )


def _check_listed(path: Path, names: Iterable[str]) -> None:
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


def _check_version(path: Path, head: dict[str, Any]) -> None:
    if head.get("version", 0) > VERSION:
        made_by = head.get("versions", {}).get("dmlkit", "a newer dmlkit")
        raise BundleError(
            f"The bundle {str(path)!r} is of version {head['version']}, made by dmlkit {made_by}; "
            f"this dmlkit reads up to {VERSION}. Update dmlkit."
        )


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BundleError(f"{str(path)!r} is no JSON: {error}. {COPY}") from None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
