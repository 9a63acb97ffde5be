"""Columns made fit for a model, with scikit-learn's contract, in one pass where that can be."""

from dmlkit.preprocessing.binning import KBinsDiscretizer
from dmlkit.preprocessing.by_group import GroupImputer
from dmlkit.preprocessing.compose import ColumnTransformer, Pipeline, transformer_from_dict
from dmlkit.preprocessing.encoding import FrequencyEncoder, OneHotEncoder, OrdinalEncoder
from dmlkit.preprocessing.entropy import EntropyDiscretizer
from dmlkit.preprocessing.hasher import FeatureHasher
from dmlkit.preprocessing.imputing import SimpleImputer
from dmlkit.preprocessing.polynomial import PolynomialFeatures
from dmlkit.preprocessing.power import PowerTransformer
from dmlkit.preprocessing.quantiles import QuantileTransformer
from dmlkit.preprocessing.scaling import MinMaxScaler, RobustScaler, StandardScaler
from dmlkit.preprocessing.target import TargetEncoder
from dmlkit.preprocessing.target_history import TimeTargetEncoder
from dmlkit.preprocessing.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from dmlkit.preprocessing.transformer import Transformer

__all__ = [
    "ColumnTransformer",
    "CountVectorizer",
    "EntropyDiscretizer",
    "FeatureHasher",
    "FrequencyEncoder",
    "GroupImputer",
    "HashingVectorizer",
    "KBinsDiscretizer",
    "MinMaxScaler",
    "OneHotEncoder",
    "OrdinalEncoder",
    "Pipeline",
    "PolynomialFeatures",
    "PowerTransformer",
    "QuantileTransformer",
    "RobustScaler",
    "SimpleImputer",
    "StandardScaler",
    "TargetEncoder",
    "TfidfVectorizer",
    "TimeTargetEncoder",
    "Transformer",
    "transformer_from_dict",
]
