"""Models that learn batch by batch are searched, whatever the partitions."""

from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, SGDClassifier

from dmlkit.errors import (
    ConfigurationError,
    InputError,
    MissingColumnError,
    NotFittedError,
    TrainingError,
)
from dmlkit.search import HyperbandSearchCV
from tests.frames import with_an_empty_part as lazy

FEATURES = ["x0", "x1"]
SPACE = {"alpha": [1e-4, 1e-2, 10.0, 1e4]}

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(2_000, 2)), columns=FEATURES)
    return frame.assign(label=(frame["x0"] + random.normal(size=2_000) / 4 > 0).astype(int))


def searched(rows: Any, **options: Any) -> HyperbandSearchCV:
    model = SGDClassifier(loss="log_loss", random_state=0)
    search = HyperbandSearchCV(model, SPACE, max_iter=9, n_trials=6, batch_size=200, **options)
    return search.fit(rows[FEATURES], rows["label"], classes=[0, 1])


def test_good_parameters_are_found_and_bad_ones_given_up(client, table) -> None:
    found = searched(lazy(table, 3))
    assert found.best_params_["alpha"] in (1e-4, 1e-2)
    assert found.best_score_ > 0.9
    assert set(found.trials_["state"]) <= {"complete", "pruned"}
    assert found.best_estimator_.t_ - 1 == 9 * 200 - 0 or found.best_estimator_.t_ > 1_000
    rows = lazy(table, 2)
    predicted = found.predict(rows[FEATURES])
    assert isinstance(predicted, dd.Series)
    assert (predicted.compute() == table["label"]).mean() > 0.9
    chances = found.predict_proba(rows[FEATURES]).compute()
    np.testing.assert_allclose(chances.sum(axis=1), 1)


def test_a_trial_has_the_same_score_on_any_partitions(client, table) -> None:
    by_alpha = []
    for rows in (table, lazy(table, 5)):
        trials = searched(rows, scoring="neg_log_loss").trials_
        complete = trials[trials["state"] == "complete"]
        by_alpha.append(complete.groupby("alpha")["score"].first())
    both = pd.concat(by_alpha, axis=1).dropna()
    assert len(both)
    np.testing.assert_array_equal(both.iloc[:, 0], both.iloc[:, 1])


def test_mistakes_are_told(client, table) -> None:
    with pytest.raises(ConfigurationError, match="LogisticRegression has no partial_fit"):
        HyperbandSearchCV(LogisticRegression(), SPACE).fit(table[FEATURES], table["label"])
    with pytest.raises(ConfigurationError, match="test_size is 1"):
        searched(table, test_size=1)
    with pytest.raises(InputError, match="partitioned like the table"):
        HyperbandSearchCV(SGDClassifier(), SPACE).fit(lazy(table, 2)[FEATURES], table["label"])
    with pytest.raises(NotFittedError, match="not fitted yet"):
        HyperbandSearchCV(SGDClassifier(), SPACE).predict(table)
    failing = HyperbandSearchCV(SGDClassifier(), {"alpha": [-1.0]}, max_iter=1)
    with pytest.raises(TrainingError, match=r"None of 1 trials was finished\. .*alpha"):
        failing.fit(table[FEATURES], table["label"], classes=[0, 1])


def test_columns_are_known_by_their_names(client, table) -> None:
    found = searched(table)
    turned = found.predict(table[FEATURES[::-1]].assign(more=1))
    pd.testing.assert_series_equal(turned, found.predict(table[FEATURES]))
    assert found.score(table[FEATURES], table["label"]) > 0.9
    assert found.classes_.tolist() == [0, 1]
    with pytest.raises(MissingColumnError, match="'x1'"):
        found.predict(lazy(table[["x0"]], 2))
    with pytest.raises(InputError, match=r"predict\(X\) to a metric"):
        found.score(lazy(table[FEATURES], 2), table["label"])


def test_labels_of_another_length_are_told(client, table) -> None:
    search = HyperbandSearchCV(SGDClassifier(), SPACE, max_iter=3)
    with pytest.raises(InputError, match=r"has 2,000 rows, but its labels are 100\."):
        search.fit(table[FEATURES], table["label"][:100], classes=[0, 1])


def test_draws_begin_as_scikit_learn_lets_them(client, table) -> None:
    for random_state in (None, np.random.RandomState(3), np.random.default_rng(3)):
        assert len(searched(table, random_state=random_state).trials_) == 6
    with pytest.raises(ConfigurationError, match="random_state is 'a'"):
        searched(table, random_state="a")
