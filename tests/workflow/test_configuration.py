"""Settings: defaults, then a file, then --set; and messages that name the right key."""

from datetime import date
from pathlib import Path

import pytest
from pydantic import Field

from dmlkit.errors import ConfigurationError, MissingFileError
from dmlkit.workflow import Settings, load_configuration


class Split(Settings):
    train_start: date | None = None
    train_days: int = Field(7, gt=0)


class Job(Settings):
    name: str = "job"
    split: Split = Split()


def test_an_assignment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    file = tmp_path / "job.toml"
    file.write_text('name = "nightly"\n[split]\ntrain_days = 14\n')
    job = load_configuration(Job, file=file, assignments=["split.train_days=21"])
    assert (job.name, job.split.train_days, job.split.train_start) == ("nightly", 21, None)


@pytest.mark.parametrize("text", ["2018-07-25", '"2018-07-25"'])
def test_a_date_is_read_with_and_without_quotes(text: str) -> None:
    job = load_configuration(Job, assignments=[f"split.train_start={text}"])
    assert job.split.train_start == date(2018, 7, 25)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        (
            "split.trainstart=1",
            r"Unknown setting 'split.trainstart' \(nearest: 'split.train_start'",
        ),
        ("splt.train_days=1", r"Unknown setting 'splt' \(nearest: 'split"),
        ("zzz=1", "Unknown setting 'zzz'. Known: name, split.train_start, split.train_days"),
        ("split.train_days=seven", "Setting 'split.train_days' is 'seven': .*valid integer"),
        ("split.train_days=0", "'split.train_days' is 0: .*greater than 0"),
        ("split.train_days", "not of the form key.sub=value"),
        ("name.sub.deeper=1", "Setting 'name'"),
    ],
)
def test_a_wrong_assignment_is_explained(assignment: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_configuration(Job, assignments=[assignment])


def test_a_missing_file_names_the_one_beside_it(tmp_path: Path) -> None:
    (tmp_path / "fraud.toml").write_text("")
    with pytest.raises(MissingFileError, match=r"Did you mean .*fraud\.toml"):
        load_configuration(Job, file=tmp_path / "fruad.toml")


def test_a_broken_file_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "job.toml"
    file.write_text("name = \n")
    with pytest.raises(ConfigurationError, match=r"not valid TOML.*line 1"):
        load_configuration(Job, file=file)
