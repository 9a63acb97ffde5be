"""Clusters of rows of frames of any size."""

from dmlkit.clustering.kmeans import KMeans
from dmlkit.clustering.mini_batch import MiniBatchKMeans

__all__ = ["KMeans", "MiniBatchKMeans"]
