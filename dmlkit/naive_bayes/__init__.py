"""Naive Bayes on frames of any size: one pass over the rows, which stay where they are."""

from dmlkit.naive_bayes.categorical import CategoricalNB
from dmlkit.naive_bayes.counts import BernoulliNB, MultinomialNB
from dmlkit.naive_bayes.gaussian import GaussianNB

__all__ = ["BernoulliNB", "CategoricalNB", "GaussianNB", "MultinomialNB"]
