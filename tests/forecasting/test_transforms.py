"""Target transforms: undone, they give the values back, and forecasts on their scale."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmlkit.errors import ConfigurationError
from dmlkit.forecasting import (
    Differences,
    LocalBoxCox,
    LocalStandardScaler,
    Log1p,
    transform_from_dict,
)
from dmlkit.forecasting.transforms import apply_all, transform_to_dict, undo_all

CHAINS = [
    [Differences(1)],
    [Differences(3), Differences(1)],
    [LocalStandardScaler(), Differences(4)],
    [Log1p(), LocalStandardScaler()],
    [LocalBoxCox(), Differences(2)],
]


@pytest.mark.parametrize("chain", CHAINS, ids=str)
@given(
    lengths=st.lists(st.integers(6, 15), min_size=1, max_size=3),
    horizon=st.integers(1, 9),
    seed=st.integers(0, 99),
)
@settings(max_examples=10)
def test_what_is_transformed_and_undone_is_what_came(chain, lengths, horizon, seed):
    """Values to come, transformed with the series, are forecasts that are right."""
    rng = np.random.default_rng(seed)
    whole = [rng.gamma(2, 10, length + horizon) for length in lengths]
    past = np.concatenate([values[:-horizon] for values in whole])
    starts = np.r_[0, np.cumsum(lengths)]
    _, states = apply_all(chain, past, starts)
    expected = np.stack([values[-horizon:] for values in whole])[:, :, None]
    ahead = expected
    for number, transform in enumerate(chain):
        ahead = _apply_ahead(transform, ahead, past, states, chain, number, starts)
    found = undo_all(chain, ahead, states, 0)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


def _apply_ahead(transform, ahead, past, states, chain, number, starts):
    before, _ = apply_all(chain[:number], past, starts)
    if isinstance(transform, Differences):
        stops = starts[1:]
        tail = before[stops[:, None] - transform.lag + np.arange(transform.lag)]
        joined = np.concatenate([tail[:, :, None], ahead], axis=1)
        return joined[:, transform.lag :] - joined[:, : -transform.lag]
    state = states[number]
    if isinstance(transform, LocalStandardScaler):
        return (ahead - state[:, 0, None, None]) / state[:, 1, None, None]
    if isinstance(transform, LocalBoxCox):
        power = state[:, 0, None, None]
        safe = np.where(power == 0, 1, power)
        return np.where(power == 0, np.log1p(ahead), ((1 + ahead) ** safe - 1) / safe)
    return np.log1p(ahead)


def test_negative_values_have_a_logarithm_of_their_own():
    values, state = Log1p().apply(np.array([-3.0, 0.0, 3.0]), np.array([0, 3]))
    assert values[0] == -values[2]
    np.testing.assert_allclose(Log1p().undo(values[None, :, None], state, 0).ravel(), [-3, 0, 3])


def test_differences_with_holes_are_undone_from_the_value_a_lag_earlier():
    values = np.array([1.0, 2.0, 3.0, np.nan])
    _, state = Differences(2).apply(values, np.array([0, 4]))
    assert state.tolist() == [[3.0, 2.0]]


def test_transforms_survive_being_written_down():
    for transform in [each for chain in CHAINS for each in chain]:
        assert transform_from_dict(transform_to_dict(transform)) == transform
    with pytest.raises(ConfigurationError, match="nearest: 'differences'"):
        transform_from_dict({"kind": "difference"})
    with pytest.raises(ConfigurationError, match="lag from 1"):
        Differences(0)
