"""Principal components of frames of any size."""

from dmlkit.decomposition.principal import PCA

__all__ = ["PCA"]
