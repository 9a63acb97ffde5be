"""Stays made fit for models, with nothing left of who they were; and how they are kept."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd

from dmlkit.model_selection import TrainValidationTest, group_places
from dmlkit.preprocessing import ColumnTransformer, transformer_from_dict
from dmlkit.tables import read_table, write_table
from dmlkit.tables.folders import find_folder
from dmlkit.workflow import Keep

__all__ = ["PREPARED", "Prepared", "prepare_parts"]

#: Patients are put into so many blocks, which the bootstrap draws; a block is nobody.
BLOCKS = 200
#: Another seed than that of any split, so that blocks cut across its parts.
BLOCK_SEED = 1_000_003


@dataclass(frozen=True)
class Prepared:
    """The rows of all parts, encoded for both models.

    Attributes
    ----------
    frame : dask.dataframe.DataFrame
        ``part``, ``readmitted``, ``block``, ``group_{column}`` for what is compared, and features.
    transformer : ColumnTransformer
        What the features of the boosted trees are made with.
    linear_names : list of str
        The features of the linear model.
    """

    frame: Any
    transformer: ColumnTransformer
    linear_names: list[str]

    @property
    def names(self) -> list[str]:
        """The features of the boosted trees."""
        return [str(name) for name in self.transformer.get_feature_names_out()]

    def part(self, name: str) -> Any:
        """Return the rows of one part."""
        return self.frame[self.frame["part"] == name]


def prepare_parts(
    parts: TrainValidationTest,
    columns: Sequence[str],
    trees: ColumnTransformer,
    linear: ColumnTransformer,
    groups: Sequence[str],
) -> Prepared:
    """Learn the encodings from the training patients, and encode the rows of all parts."""
    label, patient = parts.train["readmitted"], parts.train["patient_id"]
    frames = []
    for name, part in parts._asdict().items():
        rows = part[list(columns)]
        encoded = [
            each.fit_transform(rows, label, groups=patient)
            if name == "train"
            else each.transform(rows)
            for each in (trees, linear)
        ]
        frames.append(_side_by_side(part, encoded, name, list(groups)))
    return Prepared(dd.concat(frames), trees, [*map(str, linear.get_feature_names_out())])


def _side_by_side(part: Any, encoded: list[Any], name: str, groups: list[str]) -> Any:
    meta = _beside(part._meta, *(each._meta for each in encoded), name=name, groups=groups)
    return dd.map_partitions(
        _beside, part, *encoded, name=name, groups=groups, meta=meta, align_dataframes=False
    )


def _beside(
    rows: pd.DataFrame, *encoded: pd.DataFrame, name: str, groups: list[str]
) -> pd.DataFrame:
    block = (group_places(rows["patient_id"], BLOCK_SEED) * BLOCKS).astype(np.int16)
    kept = pd.DataFrame(
        {
            "part": pd.Series(name, index=rows.index, dtype="str"),
            "readmitted": rows["readmitted"],
            "block": block,
            **{f"group_{group}": rows[group] for group in groups},
        }
    )
    return pd.concat([kept, *encoded], axis=1)


def _save(path: Path | str, prepared: Prepared) -> Any:
    document = {
        "transformer": prepared.transformer.to_dict(),
        "linear_names": prepared.linear_names,
    }
    find_folder(path).write("prepared.json", json.dumps(document).encode())
    return write_table(prepared.frame, f"{path}/rows", mode="overwrite")


def _load(path: Path | str) -> Prepared:
    document = json.loads(find_folder(path).read("prepared.json"))
    transformer = transformer_from_dict(document["transformer"])
    return Prepared(read_table(f"{path}/rows"), transformer, document["linear_names"])


PREPARED = Keep(save=_save, load=_load)
