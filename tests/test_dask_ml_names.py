"""The guide tells of each public name of dask-ml 2025.1.0 what stands in for it."""

from pathlib import Path

import pytest

import dmlkit

GUIDE = Path(dmlkit.__file__).parents[1] / "docs" / "classical.md"

#: Found by looking into its public modules.
NAMES = {
    "cluster": "KMeans SpectralClustering",
    "compose": "ColumnTransformer make_column_transformer",
    "datasets": "make_blobs make_classification make_classification_df make_counts make_regression",
    "decomposition": "IncrementalPCA PCA TruncatedSVD",
    "ensemble": "BlockwiseVotingClassifier BlockwiseVotingRegressor",
    "feature_extraction.text": "CountVectorizer FeatureHasher HashingVectorizer",
    "impute": "SimpleImputer",
    "linear_model": "LinearRegression LogisticRegression PoissonRegression",
    "metrics": "accuracy_score check_scoring euclidean_distances get_scorer log_loss "
    "mean_absolute_error mean_absolute_percentage_error mean_squared_error "
    "mean_squared_log_error pairwise_distances pairwise_distances_argmin_min r2_score",
    "model_selection": "GridSearchCV HyperbandSearchCV IncrementalSearchCV InverseDecaySearchCV "
    "KFold RandomizedSearchCV ShuffleSplit SuccessiveHalvingSearchCV check_cv compute_n_splits "
    "train_test_split",
    "naive_bayes": "GaussianNB",
    "preprocessing": "BlockTransformer Categorizer DummyEncoder LabelEncoder MinMaxScaler "
    "OneHotEncoder OrdinalEncoder PolynomialFeatures QuantileTransformer RobustScaler "
    "StandardScaler",
    "wrappers": "Incremental ParallelPostFit",
}


@pytest.mark.parametrize("module", NAMES)
def test_each_name_has_a_row(module: str) -> None:
    rows = [line.split("|")[1] for line in GUIDE.read_text().splitlines() if line.startswith("| `")]
    told = " ".join(row for row in rows if f"`{module}." in row)
    missing = [name for name in NAMES[module].split() if f"{name}`" not in told]
    assert not missing
