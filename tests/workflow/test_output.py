"""The output folder: one job at a time, artefacts whole or not at all, nothing of others lost."""

from pathlib import Path

import pytest

from dmlkit.errors import OutputError
from dmlkit.workflow.output import claim_output, publish, staging_folder

MANIFEST = '{"workflow": "", "artefacts": {}}'


def test_two_jobs_cannot_write_to_one_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with claim_output(out), pytest.raises(OutputError, match="Another job"), claim_output(out):
        pass


def test_a_folder_that_stays_empty_is_removed_again(tmp_path: Path) -> None:
    with claim_output(tmp_path / "a" / "out"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    expected = pytest.raises(
        OutputError, match=r"holds 1 files that no job wrote \(such as 'thesis"
    )
    with expected, claim_output(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("manifest.json", '{"manifest_version": 3, "name": "a browser\'s extension"}'),
        ("manifest.json", '["workflow", "artefacts"]'),
        ("manifest.json", "no JSON"),
        ("stages/bronze/part.parquet", "rows"),
        ("stages/bronze.json", '{"name": "bronze", "rows": 3}'),
    ],
)
def test_a_folder_of_other_files_with_our_names_is_refused(
    tmp_path: Path, name: str, content: str
) -> None:
    for file, text in ((name, content), ("model/precious", "years of work")):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    with pytest.raises(OutputError, match="2 files that no job wrote"), claim_output(tmp_path):
        pass


@pytest.mark.parametrize("name", ["manifest.json", "stages/first.json", "stages/"])
def test_what_an_earlier_job_left_is_a_place_for_the_next(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    if name.endswith("/"):
        (tmp_path / name).mkdir()
    else:
        record = '{"name": "first", "fingerprint": "", "state": "begun"}'
        (tmp_path / name).write_text(MANIFEST if name == "manifest.json" else record)
    (tmp_path / "report.html").write_text("")
    with claim_output(tmp_path):
        pass


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match="is a file"), claim_output(tmp_path / "out"):
        pass


def test_artefacts_replace_those_of_an_earlier_job(tmp_path: Path) -> None:
    for content in ("old", "new"):
        with claim_output(tmp_path), staging_folder(tmp_path) as staging:
            (staging / "manifest.json").write_text(MANIFEST.replace('""', f'"{content}"'))
            (staging / "model").mkdir()
            (staging / "model" / content).write_text(content)
            publish(staging, tmp_path, last="manifest.json")
    assert (tmp_path / "manifest.json").read_text() == MANIFEST.replace('""', '"new"')
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "manifest.json",
        "model",
        "model/new",
    ]


def test_a_failing_job_leaves_the_earlier_artefacts_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(MANIFEST)
    with pytest.raises(RuntimeError), claim_output(tmp_path), staging_folder(tmp_path) as staging:
        (staging / "manifest.json").write_text("new")
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]
    assert (tmp_path / "manifest.json").read_text() == MANIFEST


def test_staging_that_a_killed_job_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / ".staging-dead").mkdir()
    with claim_output(tmp_path), staging_folder(tmp_path):
        pass
    assert list(tmp_path.glob(".*")) == []


def test_publishing_that_broke_off_is_brought_to_its_end_by_the_next_job(tmp_path: Path) -> None:
    left = tmp_path / ".staging-dead"
    (left / ".replaced-x").mkdir(parents=True)
    (left / ".replaced-x" / "manifest.json").write_text("old")
    for name, content in (("b.json", "new"), ("manifest.json", "new")):
        (left / name).write_text(content)
    (tmp_path / "a.json").write_text("new")  # was in place already
    (tmp_path / "b.json").write_text("old")
    with claim_output(tmp_path), staging_folder(tmp_path):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json", "manifest.json"]
    assert {path.read_text() for path in tmp_path.iterdir()} == {"new"}


def test_publishing_that_broke_off_at_its_end_keeps_what_is_in_place(tmp_path: Path) -> None:
    (tmp_path / ".staging-dead" / ".replaced-x").mkdir(parents=True)
    (tmp_path / "manifest.json").write_text(MANIFEST)
    with claim_output(tmp_path), staging_folder(tmp_path):
        pass
    assert [path.read_text() for path in tmp_path.iterdir()] == [MANIFEST]
