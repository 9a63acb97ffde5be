"""What holds for every estimator that dmlkit exports: each is in the table, none is left out."""

import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import sklearn.exceptions
from sklearn.base import clone, is_classifier, is_clusterer, is_regressor
from sklearn.utils import estimator_checks
from sklearn.utils.validation import check_is_fitted

from dmlkit import load_estimator, save_estimator
from dmlkit.errors import BundleError, ConfigurationError, InputError, NotFittedError
from tests.estimators.table import NUMBERS, PACKAGES, Entry, entries, table

ENTRIES = entries()
ALONE = [name for name, entry in ENTRIES.items() if not entry.trains_on_workers]
#: Beside a pandas frame, which is one part; one partition is in the tests of each package.
LAYOUTS = [3, 16]


@pytest.fixture(autouse=True)
def computed_here(request: pytest.FixtureRequest) -> Iterator[None]:
    """Compute in this process what needs no workers."""
    name = request.node.callspec.params.get("name") if hasattr(request.node, "callspec") else None
    if name in ENTRIES and ENTRIES[name].trains_on_workers:
        request.getfixturevalue("client")
        yield
        return
    with dask.config.set(scheduler="synchronous"):
        yield


def laid_out(frame: pd.DataFrame, partitions: int) -> Any:
    """Put rows into partitions whose divisions and lengths nobody knows; of 16, two are empty."""
    full = dd.from_pandas(frame, npartitions=partitions - 2 * (partitions > 2), sort=False)
    if partitions > 2:
        empty = dd.from_pandas(frame.iloc[:0], npartitions=1, sort=False)
        full = dd.concat([empty, full, empty], interleave_partitions=False)
    return full.clear_divisions()


def trained(entry: Entry, frame: Any) -> Any:
    label = [] if entry.label is None else [frame[entry.label]]
    more = {name: frame[column] for name, column in entry.needs.items()}
    return clone(entry.estimator).fit(frame[entry.columns], *label, **more)


def made(entry: Entry, estimator: Any, frame: Any) -> Any:
    return getattr(estimator, entry.output)(frame[entry.columns])


def as_numbers(values: Any) -> np.ndarray:
    values = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
    return values.astype(np.float64)


def numbers_of(entry: Entry, found: pd.DataFrame | pd.Series) -> np.ndarray:
    return as_numbers(found.select_dtypes("number") if isinstance(found, pd.DataFrame) else found)


def test_every_exported_estimator_is_in_the_table() -> None:
    exported = {
        name
        for package in PACKAGES
        for name in package.__all__
        if hasattr(getattr(package, name), "fit") and name != "Transformer"
    }
    assert exported == set(ENTRIES)


@pytest.mark.parametrize("name", ENTRIES)
def test_results_are_lazy_and_the_same_on_any_partitions(name: str) -> None:
    entry = ENTRIES[name]
    results = []
    for partitions in LAYOUTS:
        lazy = laid_out(table(), partitions)
        found = made(entry, trained(entry, lazy), lazy)
        assert isinstance(found, (dd.DataFrame, dd.Series))
        computed = found.compute()
        assert computed.index.equals(table().index)
        assert type(computed) is type(found._meta)
        results.append(computed)
    if not entry.trains_on_workers:
        results.append(made(entry, trained(entry, table()), table()))
    for other in results[1:]:
        np.testing.assert_allclose(
            numbers_of(entry, other), numbers_of(entry, results[0]), atol=entry.tolerance, rtol=0
        )


@pytest.mark.parametrize("name", [name for name in ALONE if ENTRIES[name].twin is not None])
def test_results_are_those_of_scikit_learn(name: str) -> None:
    entry = ENTRIES[name]
    # On pandas: that 16 partitions give the same is tested above.
    found = numbers_of(entry, made(entry, trained(entry, table()), table()))
    if callable(entry.twin):
        expected = numbers_of(entry, entry.twin(table()))
    else:
        rows = table()[entry.columns[0]] if "Vectorizer" in name else table()[entry.columns]
        label = [] if entry.label is None else [table()[entry.label]]
        theirs = clone(entry.twin).fit(rows, *label)
        expected = as_numbers(getattr(theirs, entry.output)(rows))
    largest = max(1.0, np.nanmax(np.abs(expected)))
    if name in ("PCA", "TruncatedSVD"):  # the sign of a component is free
        found, expected = np.abs(found), np.abs(expected)
    np.testing.assert_allclose(found, expected, atol=max(entry.tolerance, 1e-9) * largest)


@pytest.mark.parametrize(
    "name", [name for name in ENTRIES if name not in ALONE and ENTRIES[name].twin is not None]
)
def test_what_workers_train_is_what_xgboost_trains_alone(name: str) -> None:
    entry, rows = ENTRIES[name], table()
    lazy = laid_out(rows, 1)
    found = numbers_of(entry, made(entry, trained(entry, lazy), lazy).compute())
    more = {argument: rows[column] for argument, column in entry.needs.items()}
    theirs = clone(entry.twin).fit(rows[entry.columns], rows[entry.label], **more)
    expected = getattr(theirs, entry.output)(rows[entry.columns])
    np.testing.assert_allclose(found, expected, atol=entry.tolerance)


@pytest.mark.parametrize("name", ENTRIES)
def test_it_is_cloned_and_kept_without_pickle(name: str, tmp_path: Path) -> None:
    entry = ENTRIES[name]
    estimator = trained(entry, laid_out(table(), 3) if entry.trains_on_workers else table())
    check_is_fitted(estimator)
    copy = clone(estimator)
    assert set(copy.get_params()) == set(estimator.get_params())
    assert not hasattr(copy, "feature_names_in_")
    save_estimator(tmp_path / "kept", estimator)
    assert {path.name for path in (tmp_path / "kept").iterdir()} <= {
        "bundle.json",
        "model.ubj",
        "SHA256SUMS",
    }
    again = load_estimator(tmp_path / "kept")
    before, after = (made(entry, each, table()) for each in (estimator, again))
    if isinstance(before, pd.DataFrame):
        pd.testing.assert_frame_equal(after, before, check_exact=True)
    else:
        pd.testing.assert_series_equal(after, before, check_exact=True)
    assert list(again.feature_names_in_) == entry.columns


@pytest.mark.parametrize("name", ENTRIES)
def test_what_is_not_fitted_and_what_is_misspelled_are_told(name: str, tmp_path: Path) -> None:
    entry = ENTRIES[name]
    fresh = clone(entry.estimator)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        made(entry, fresh, table())
    with pytest.raises(NotFittedError, match="not fitted yet"):
        save_estimator(tmp_path / "kept", fresh)
    with pytest.raises(ConfigurationError):
        fresh.set_params(nonsense=1)


@pytest.mark.parametrize("name", [name for name in ALONE if ENTRIES[name].columns == NUMBERS])
def test_text_and_categories_are_named_where_numbers_are_needed(name: str) -> None:
    entry = ENTRIES[name]
    for column in ("code", "ward"):
        rows = table().assign(c=table()[column])
        with pytest.raises(InputError, match=r"[Cc]olumn 'c'"):
            made(entry, trained(entry, rows), rows)


#: Those of scikit-learn's own checks that do not hand over arrays: columns are known by names here.
CHECKS = [
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_estimators_unfitted",
    "check_get_params_invariance",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_transformers_unfitted",
    "check_valid_tag_types",
]


#: XGBoost's estimators say at once that a parameter cannot be: before a cluster is waited for.
@pytest.mark.filterwarnings("ignore:.*recommended to delay parameter validation")
@pytest.mark.parametrize("check", CHECKS)
def test_scikit_learns_own_checks_pass(check: str) -> None:
    for name, entry in ENTRIES.items():
        getattr(estimator_checks, check)(name, entry.estimator)


def test_scikit_learn_knows_what_kind_each_is() -> None:
    assert is_classifier(ENTRIES["XGBClassifier"].estimator)
    assert is_regressor(ENTRIES["XGBRegressor"].estimator)
    assert is_clusterer(ENTRIES["KMeans"].estimator)


def test_what_is_not_fitted_is_told_as_scikit_learn_does_even_across_processes() -> None:
    error = pickle.loads(pickle.dumps(NotFittedError("Call fit first.")))
    assert isinstance(error, NotFittedError)
    assert isinstance(error, sklearn.exceptions.NotFittedError)
    assert str(error) == "Call fit first."
    assert repr(error) == "NotFittedError('Call fit first.')"


def test_telling_so_imports_no_scikit_learn() -> None:
    program = (
        "import sys; from dmlkit.errors import NotFittedError\n"
        "try: raise NotFittedError('Call fit first.')\n"
        "except NotFittedError: print('sklearn' in sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "False"


def test_what_is_damaged_or_foreign_is_told(tmp_path: Path) -> None:
    save_estimator(tmp_path / "kept", trained(ENTRIES["Ridge"], table()))
    file = tmp_path / "kept" / "bundle.json"
    file.write_text(file.read_text().replace("Ridge", "Lasso"))
    with pytest.raises(BundleError, match=r"bundle.json .* is damaged or was altered"):
        load_estimator(tmp_path / "kept")
    with pytest.raises(ConfigurationError, match="A dict is no estimator of dmlkit"):
        save_estimator(tmp_path / "other", {})


@pytest.mark.parametrize("name", ENTRIES)
def test_notebooks_show_it_before_and_after_it_is_fitted(name: str) -> None:
    entry = ENTRIES[name]
    plain = clone(entry.estimator)._repr_html_()
    assert type(entry.estimator).__name__ in plain
    assert "not fitted" in plain or "not trained" in plain
    shown = trained(entry, laid_out(table(), 3))._repr_html_()
    assert type(entry.estimator).__name__ in shown
    assert "not fitted" not in shown
    assert "not trained" not in shown
    assert "<script" not in shown  # notebooks that were saved do not run any
