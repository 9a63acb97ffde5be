"""Forecasters written down: all but their models, as JSON-able values."""

from collections.abc import Mapping
from typing import Any

from dmlkit.errors import ConfigurationError
from dmlkit.features import FeatureSet
from dmlkit.forecasting.design import Design
from dmlkit.forecasting.transforms import transform_from_dict, transform_to_dict

__all__ = ["read", "written"]

KIND, VERSION = "forecaster", 1


def written(design: Design, others: Mapping[str, Any]) -> dict[str, Any]:
    """Return a design, and what is given beside it, as JSON-able values."""
    return {
        "kind": KIND,
        "version": VERSION,
        "frequency": design.frequency.text,
        "features": design.features.to_dict(),
        "transforms": [transform_to_dict(each) for each in design.transforms],
        "static": list(design.static),
        "min_history": design.min_history,
        "weight": design.weight,
        "half_life": design.half_life,
        **others,
    }


def read(document: Mapping[str, Any]) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Return the arguments of a forecaster, but for its model, and the margins of its intervals.

    Raises
    ------
    ConfigurationError
        The document is of a newer version.
    """
    if document["version"] > VERSION:
        raise ConfigurationError(
            f"The forecaster is of version {document['version']}; this dmlkit reads up to "
            f"{VERSION}. Update dmlkit."
        )
    made: dict[str, Any] = {"features": FeatureSet.from_dict(document["features"])}
    made |= {"transforms": [transform_from_dict(each) for each in document["transforms"]]}
    apart = {"kind", "version", "margins", *made}
    plain = {name: value for name, value in document.items() if name not in apart}
    return plain | made, document["margins"]
