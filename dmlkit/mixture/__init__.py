"""Mixtures of distributions on frames of any size."""

from dmlkit.mixture.gaussian import GaussianMixture

__all__ = ["GaussianMixture"]
