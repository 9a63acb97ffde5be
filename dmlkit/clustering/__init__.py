"""Clusters of rows of frames of any size."""

from dmlkit.clustering.kmeans import KMeans

__all__ = ["KMeans"]
