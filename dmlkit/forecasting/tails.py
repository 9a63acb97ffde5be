"""The ends of series: as many rows as the features look back, and states of running means.

They give the same bits as the whole series would.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dmlkit.features import PanelLags
from dmlkit.features.panel_groups import GroupSums
from dmlkit.features.panel_kernels import latest_features, running_states
from dmlkit.forecasting.groups import Membership

__all__ = ["GroupTails", "Tails"]


@dataclass(frozen=True)
class Tails:
    """The ends of series.

    Attributes
    ----------
    rows : (series, width) float64 array
        NaN before a series begins.
    states : (series, k, 2) float64 array
        Of running operations before the first column.
    """

    rows: np.ndarray
    states: np.ndarray

    @classmethod
    def of(cls, lags: PanelLags, values: np.ndarray, starts: np.ndarray) -> "Tails":
        """Take the ends of series that lie one after the other."""
        width = max(feature.reach for feature in lags.features)
        place = starts[1:, None] - width + np.arange(width)
        there = place >= starts[:-1, None]
        rows = np.full((len(starts) - 1, width), np.nan)
        rows[there] = values[place[there]]
        program = lags.program
        states = running_states(values, starts, width, program.operations, program.parameters)
        return cls(rows, states)

    def features(self, lags: PanelLags, course: np.ndarray, shift: int) -> np.ndarray:
        """Return the features of the row behind what has been forecast: an (f, series) array.

        Parameters
        ----------
        lags : PanelLags
        course : (series, steps) float64 array
            The forecasts so far.
        shift : int
            Rows that all lags are longer.
        """
        program = lags.program
        rows = np.concatenate([self.rows, course], axis=1)
        found = np.empty((len(program.targets), len(rows)), dtype=lags.dtype)
        latest_features(
            rows,
            rows.shape[1],
            self.states,
            program.operations,
            program.parameters,
            program.targets + np.array([0, 0, shift, 0, 0]),
            found,
        )
        return found


@dataclass(frozen=True)
class GroupTails:
    """The ends of what groups amount to, and which group each series of a partition is of.

    Attributes
    ----------
    tails : Tails
    hashes : (groups,) uint64 array
    members : Membership
    """

    tails: Tails
    hashes: np.ndarray
    members: Membership

    @classmethod
    def of(cls, lags: PanelLags, sums: GroupSums, series: pd.DataFrame) -> "GroupTails":
        """Take the ends of groups, for one row of each series."""
        values = sums.values(lags.aggregate)
        members = Membership.of(series, lags)
        return cls(Tails.of(lags, values, sums.starts), sums.hashes, members)

    def features(self, lags: PanelLags, course: np.ndarray, shift: int) -> np.ndarray:
        """Return the features of the series, from the groups' forecasts so far."""
        of_groups = self.tails.features(lags, course, shift)
        found = np.full((len(of_groups), len(self.members.hashes)), np.nan, of_groups.dtype)
        known = self.members.known
        places = np.searchsorted(self.hashes, self.members.hashes[known])
        found[:, known] = of_groups[:, places]
        return found

    def add_up(self, forecasts: np.ndarray) -> GroupSums:
        """Return what the forecasts of the series for one step add to each group."""
        known = self.members.known
        steps = np.zeros(int(known.sum()), np.int64)
        return GroupSums.of(self.members.hashes[known], steps, forecasts[known], last=0)

    def of_step(self, lags: PanelLags, sums: GroupSums) -> np.ndarray:
        """Return what the groups amount to at a step that all partitions have forecast."""
        values = np.full(len(self.hashes), np.nan)
        there = np.isin(self.hashes, sums.hashes, assume_unique=True)
        place = np.searchsorted(sums.hashes, self.hashes[there])
        values[there] = sums.values(lags.aggregate)[place]
        return values


def widened(course: np.ndarray, latest: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return forecasts with those of one more step behind them."""
    return np.concatenate([course, np.asarray(latest)[:, None]], axis=1)
