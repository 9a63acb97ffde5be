"""Row loops over whole series (numba): windows of rows that end at each row. Arrays only.

A window is put together from blocks of 1, 2, 4, ... rows: as many passes as its length has bits,
each over neighbouring rows, which the compiler turns into vector instructions. A value depends on
the rows of its window alone, added in the same order wherever the window lies: nothing drifts, and
the end of a series gives the same bits as the whole of it.
"""

import numpy as np

from dmlkit.features.compiled import compiled

__all__ = [
    "DIFFERENCE",
    "EWM_MEAN",
    "EXPANDING_MEAN",
    "MAX",
    "MIN",
    "MOMENTS",
    "QUANTILE",
    "VALUE",
    "latest_features",
    "panel_features",
    "running_states",
]

(VALUE, DIFFERENCE, MOMENTS, MIN, MAX, QUANTILE, EXPANDING_MEAN, EWM_MEAN) = range(8)


@compiled
def moments(values, window, mean, std, known):  # type: ignore[no-untyped-def]
    """Fill in mean, standard deviation and count of the known values in each window of rows.

    Blocks are merged as Chan, Golub and LeVeque have it (*Updating Formulae and a Pairwise
    Algorithm for Computing Sample Variances*, 1979).
    """
    n = len(values)
    count, centre, spread = np.empty(n), np.empty(n), np.zeros(n)
    known[:n], mean[:n], std[:n] = 0.0, 0.0, 0.0
    for i in range(n):
        there = not np.isnan(values[i])
        count[i] = 1.0 if there else 0.0
        centre[i] = values[i] if there else 0.0
    taken, size = 0, 1
    while taken < window:
        if window & size:
            _merge(known, mean, std, count, centre, spread, taken)
            taken += size
        if taken < window:
            older = count.copy(), centre.copy(), spread.copy()
            _merge(count, centre, spread, older[0], older[1], older[2], size)
            size *= 2
    for i in range(n):
        std[i] = np.sqrt(std[i] / (known[i] - 1.0)) if known[i] > 1.0 else np.nan
        mean[i] = mean[i] if known[i] > 0.0 else np.nan


@compiled
def _merge(count, mean, spread, count_2, mean_2, spread_2, back):  # type: ignore[no-untyped-def]
    """Add to each block the one that ends `back` rows before its end."""
    for i in range(back, len(count_2)):
        more = count_2[i - back]
        total = count[i] + more
        share = more / max(total, 1.0)
        apart = mean_2[i - back] - mean[i]
        spread[i] += spread_2[i - back] + apart * apart * count[i] * share
        mean[i] += apart * share
        count[i] = total


@compiled
def extremes(values, window, sign, out, known):  # type: ignore[no-untyped-def]
    """Fill in the largest of ``sign * values`` in each window, times `sign`, and the counts."""
    n = len(values)
    block = np.empty(n)
    inside = 0
    for i in range(n):
        there = not np.isnan(values[i])
        block[i] = sign * values[i] if there else -np.inf
        inside += there
        if i >= window and not np.isnan(values[i - window]):
            inside -= 1
        known[i] = inside
    size = 1
    while 2 * size <= window:
        older = block.copy()
        for i in range(size, n):
            block[i] = max(block[i], older[i - size])
        size *= 2
    back = window - size  # the two blocks overlap, which an extreme does not mind
    for i in range(n):
        largest = block[i] if i < back else max(block[i], block[i - back])
        out[i] = sign * largest if known[i] > 0 else np.nan


@compiled
def quantiles(values, window, level, out, known):  # type: ignore[no-untyped-def]
    """Fill in a quantile of each window, between neighbours on a straight line, and the counts."""
    ordered = np.empty(window)
    inside = 0
    for i in range(len(values)):
        if i >= window and not np.isnan(values[i - window]):
            inside -= 1
            for place in range(_place_of(values[i - window], ordered, inside + 1), inside):
                ordered[place] = ordered[place + 1]
        if not np.isnan(values[i]):
            first = _place_of(values[i], ordered, inside)
            for place in range(inside, first, -1):
                ordered[place] = ordered[place - 1]
            ordered[first] = values[i]
            inside += 1
        known[i] = inside
        out[i] = np.nan
        if inside:
            exact = level * (inside - 1)
            below = int(exact)
            above = min(below + 1, inside - 1)
            out[i] = ordered[below] + (exact - below) * (ordered[above] - ordered[below])


@compiled
def _place_of(value, ordered, count):  # type: ignore[no-untyped-def]
    """Return how many of the first `count` values, which are in order, are below `value`."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def expanding_mean(values, state, out, known):  # type: ignore[no-untyped-def]
    """Fill in the mean of all values so far; `state` is the sum and the count before the first."""
    total, count = state[0], state[1]
    for i in range(len(values)):
        if not np.isnan(values[i]):
            total += values[i]
            count += 1.0
        out[i] = total / count if count > 0.0 else np.nan
        known[i] = count
    state[0], state[1] = total, count


@compiled
def ewm_mean(values, alpha, state, out, known):  # type: ignore[no-untyped-def]
    """Fill in ``m = alpha * value + (1 - alpha) * m``; `state` is m and the count before."""
    level, count = state[0], state[1]
    for i in range(len(values)):
        if not np.isnan(values[i]):
            level = values[i] if count == 0.0 else alpha * values[i] + (1.0 - alpha) * level
            count += 1.0
        out[i] = level if count > 0.0 else np.nan
        known[i] = count
    state[0], state[1] = level, count


@compiled
def run_operation(values, code, window, parameter, state, out, known):  # type: ignore[no-untyped-def]
    """Fill in an operation's value at each row of a series, and how many values it had there.

    Moments are two values: `out` has two rows.
    """
    n = len(values)
    if code == MOMENTS:
        moments(values, window, out[0], out[1], known)
    elif code in (MIN, MAX):
        extremes(values, window, 1.0 if code == MAX else -1.0, out[0], known)
    elif code == QUANTILE:
        quantiles(values, window, parameter, out[0], known)
    elif code == EXPANDING_MEAN:
        expanding_mean(values, state, out[0], known)
    elif code == EWM_MEAN:
        ewm_mean(values, parameter, state, out[0], known)
    else:
        known[:n] = 1.0
        out[0, :n] = values
        if code == DIFFERENCE:
            out[0, : min(window, n)] = np.nan
            out[0, window:n] = values[window:] - values[: max(n - window, 0)]


@compiled
def run_by_season(  # type: ignore[no-untyped-def]
    values, season, code, window, parameter, state, out, known
):
    """Run an operation over each row's own season: the rows 0, 1, 2, ... seasons before it."""
    n = len(values)
    for phase in range(min(season, n)):
        own = values[phase::season].copy()
        own_out, own_known = np.empty((2, len(own))), np.empty(len(own))
        run_operation(own, code, window, parameter, state, own_out, own_known)
        out[:, phase:n:season] = own_out
        known[phase:n:season] = own_known


@compiled
def panel_features(values, starts, operations, parameters, targets, out, column):  # type: ignore[no-untyped-def]
    """Fill in the lagged operations of all series.

    Parameters
    ----------
    values : (n,) float64 array
        Series after series, each by time; NaN is missing.
    starts : (series + 1,) int64 array
        Where in `values` a series begins and the one before ends.
    operations : (k, 3) int64 array
        Code, window in rows, season in rows (1 for none).
    parameters : (k,) float64 array
        A quantile's level, or alpha.
    targets : (f, 5) int64 array
        Of each feature, in the order of operations: the operation, which of its values (1 for the
        deviation of moments, else 0), the lag in rows, how many known values it needs, and its row
        of `out`.
    out : (f, m) float array
    column : int
        Where in `out` the first value belongs.
    """
    longest = 0
    for series in range(len(starts) - 1):
        longest = max(longest, starts[series + 1] - starts[series])
    result, known, state = np.empty((2, longest)), np.empty(longest), np.zeros(2)
    for series in range(len(starts) - 1):
        first, stop = starts[series], starts[series + 1]
        n = stop - first
        own = values[first:stop]
        done = -1
        for feature in range(len(targets)):
            number, which, lag, least, place = targets[feature]
            code, window, season = operations[number]
            if number != done:
                done = number
                state[:] = 0.0
                if season == 1:
                    run_operation(own, code, window, parameters[number], state, result, known)
                else:
                    run_by_season(
                        own, season, code, window, parameters[number], state, result, known
                    )
            row = out[place, column + first : column + stop]
            row[: min(lag, n)] = np.nan
            for i in range(n - lag):
                row[lag + i] = result[which, i] if known[i] >= least else np.nan


@compiled
def running_states(values, starts, width, operations, parameters):  # type: ignore[no-untyped-def]
    """Return the states of running operations before the last `width` rows of each series.

    Returns
    -------
    (series, k, 2) float64 array
        Zeros for operations on windows, which need none.
    """
    series = len(starts) - 1
    states = np.zeros((series, len(operations), 2))
    for number in range(len(operations)):
        code, window = operations[number, 0], operations[number, 1]
        if code not in (EXPANDING_MEAN, EWM_MEAN):
            continue
        for i in range(series):
            own = values[starts[i] : max(starts[i + 1] - width, starts[i])]
            out, known = np.empty((2, len(own))), np.empty(len(own))
            run_operation(own, code, window, parameters[number], states[i, number], out, known)
    return states


@compiled
def latest_features(  # type: ignore[no-untyped-def]
    tails, end, states, operations, parameters, targets, out
):
    """Fill in the features of the row at column `end` of each series, which is to be forecast.

    Parameters
    ----------
    tails : (series, width) float64 array
        The last rows of each series and, behind them, forecasts; NaN before its first row.
    end : int
    states : (series, k, 2) float64 array
        Of running operations before the first column.
    operations, parameters, targets
        As in `panel_features`.
    out : (f, series) float array
    """
    for i in range(len(tails)):
        done, newest = -1, -1
        result, known = np.empty((2, 1)), 0.0
        for feature in range(len(targets)):
            number, which, lag, least, place = targets[feature]
            stop = end - lag + 1
            if number != done or stop != newest:
                done, newest = number, stop
                result, known = _latest(
                    tails[i, : max(stop, 0)],
                    states[i, number],
                    operations[number],
                    parameters[number],
                )
            out[place, i] = result[which, -1] if known >= least else np.nan


@compiled
def _latest(values, state, operation, parameter):  # type: ignore[no-untyped-def]
    """Return an operation's values at the last row, of as few rows as it needs, and the count."""
    code, window, season = operation
    n = len(values)
    if n == 0:
        return np.empty((2, 1)), 0.0
    reach = window + 1 if code == DIFFERENCE else season * (window - 1) + 1
    if code in (EXPANDING_MEAN, EWM_MEAN):
        reach = n
    first = max(n - reach, 0)
    own = values[first + (n - 1 - first) % season : n : season].copy()
    out, known = np.full((2, len(own)), np.nan), np.empty(len(own))
    run_operation(own, code, window, parameter, state.copy(), out, known)
    return out, known[-1]
