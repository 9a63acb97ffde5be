"""Settings of a workflow: defaults in code, then a TOML file, then ``--set key.sub=value``."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from dmlkit.cluster import ClusterSettings
from dmlkit.errors import ConfigurationError, MissingFileError, nearest

__all__ = [
    "Settings",
    "load_cluster",
    "load_configuration",
    "setting_defaults",
    "setting_names",
]

#: The table of a configuration that says where a job runs; it changes nothing of what it does.
CLUSTER = "cluster"


#: Longer ones are left out where defaults are listed.
LONGEST_DEFAULT = 60


class Settings(BaseModel):
    """Base of configuration sections: a key that is not known is an error, and nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Model = TypeVar("Model", bound=BaseModel)


def load_configuration(
    model: type[Model],
    *,
    file: str | Path | None = None,
    assignments: Iterable[str] = (),
) -> Model:
    """Build a configuration from its defaults, a TOML file and assignments, each over the last.

    The table ``[cluster]`` is left out: see `load_cluster`.

    Parameters
    ----------
    model : type of BaseModel
        The configuration's pydantic model.
    file : path, optional
        A TOML file.
    assignments : iterable of str
        Such as ``"split.train_days=14"``; the value is read as TOML, and as text if it is none.

    Raises
    ------
    ConfigurationError
        A key is unknown (the nearest is named), or a value is of the wrong type.

    Examples
    --------
    >>> class Split(Settings):
    ...     train_days: int = 7
    >>> class Job(Settings):
    ...     split: Split = Split()
    >>> load_configuration(Job, assignments=["split.train_days=14"]).split.train_days
    14
    >>> load_configuration(Job, assignments=["split.traindays=14"])
    Traceback (most recent call last):
    ...
    dmlkit.errors.ConfigurationError: Unknown setting 'split.traindays' (nearest: ...
    """
    values = _values(model, file, assignments)
    if CLUSTER not in model.model_fields:
        values.pop(CLUSTER, None)
    return _validated(model, values, file)


class _Clustered(Settings):
    """What is looked at of a configuration to know where a job runs."""

    cluster: ClusterSettings | None = None


def load_cluster(
    file: str | Path | None = None, assignments: Iterable[str] = ()
) -> ClusterSettings | None:
    """Return the table ``[cluster]`` of a configuration; None where there is none.

    Parameters
    ----------
    file : path, optional
        A TOML file, of whatever workflow.
    assignments : iterable of str
        Such as ``"cluster.workers=4"``; others are left out.

    Raises
    ------
    ConfigurationError
        A key is unknown, or settings don't go together.

    Examples
    --------
    >>> print(load_cluster(assignments=["cluster.minimum=1", "cluster.maximum=4"]))
    local, 1 to 4 workers
    """
    values = _values(_Clustered, file, assignments)
    named = {CLUSTER: values[CLUSTER]} if CLUSTER in values else {}
    return _validated(_Clustered, named, file).cluster


def _values(
    model: type[BaseModel], file: str | Path | None, assignments: Iterable[str]
) -> dict[str, Any]:
    values: dict[str, Any] = _read_toml(Path(file)) if file is not None else {}
    for assignment in assignments:
        _assign(values, assignment, model)
    return values


def _validated(model: type[Model], values: dict[str, Any], file: str | Path | None) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError(_explain(error, model, file)) from None


def setting_names(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Return the dotted names of all settings of a model.

    Examples
    --------
    >>> class Split(Settings):
    ...     train_days: int = 7
    >>> class Job(Settings):
    ...     split: Split = Split()
    >>> setting_names(Job)
    ['split.train_days']
    """
    names: list[str] = []
    for name, field in model.model_fields.items():
        inner = _section(field.annotation)
        names += setting_names(inner, f"{prefix}{name}.") if inner else [f"{prefix}{name}"]
    return names


def setting_defaults(model: type[BaseModel]) -> list[str]:
    """Return each setting with its default as one would assign it, if it is of one line.

    Examples
    --------
    >>> class Job(Settings):
    ...     name: str = "nightly"
    ...     days: int = 7
    >>> setting_defaults(Job)
    ['name="nightly"', 'days=7']
    """
    defaults = model().model_dump(mode="json")
    lines = []
    for name in setting_names(model):
        value = defaults
        for part in name.split("."):
            value = value[part]
        text = json.dumps(value) if value is not None else ""
        lines.append(f"{name}={text if len(text) < LONGEST_DEFAULT else '...'}")
    return lines


def _section(annotation: Any) -> type[BaseModel] | None:
    for option in (annotation, *get_args(annotation)):
        if isinstance(option, type) and issubclass(option, BaseModel):
            return option
    return None


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        beside = (
            [other.name for other in file.parent.glob("*.toml")] if file.parent.is_dir() else []
        )
        guess = nearest(file.name, beside)
        hint = f" Did you mean {str(file.parent / guess)!r}?" if guess else ""
        raise MissingFileError(f"There is no configuration file {str(file)!r}.{hint}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{str(file)!r} is not valid TOML: {error}.") from None


def _assign(values: dict[str, Any], assignment: str, model: type[BaseModel]) -> None:
    key, equals, text = assignment.partition("=")
    if not equals or not key.strip():
        raise ConfigurationError(
            f"--set {assignment!r} is not of the form key.sub=value, "
            f"such as {setting_names(model)[0]}=..."
        )
    *sections, name = key.strip().split(".")
    inner = values
    for section in sections:
        inner = inner.setdefault(section, {})
        if not isinstance(inner, dict):
            raise ConfigurationError(f"--set {assignment!r}: {section!r} is no section.")
    inner[name] = _value(text.strip())


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _explain(error: ValidationError, model: type[BaseModel], file: str | Path | None) -> str:
    names = setting_names(model)
    lines = [_explain_one(problem, names) for problem in error.errors()]
    where = f" (settings from {str(file)!r} and --set)" if file is not None else ""
    return "\n".join(lines) + where


def _explain_one(problem: Mapping[str, Any], names: list[str]) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        section = key.rpartition(".")[0]
        inside = [name for name in names if name.startswith(f"{section}.")] or names
        sections = dict.fromkeys(name.partition(".")[0] for name in names)
        guess = nearest(key, inside if section else [*sections, *names])
        if guess is None:
            return f"Unknown setting {key!r}. Known: {', '.join(inside)}."
        return f"Unknown setting {key!r} (nearest: {guess!r})."
    if problem["type"] == "value_error":  # a rule of the settings' own: it says all there is to say
        reason = str(problem["ctx"]["error"]).rstrip(".")
        return f"Setting {key!r}: {reason}." if key else f"{reason}."
    return f"Setting {key!r} is {problem['input']!r}: {problem['msg']}."
