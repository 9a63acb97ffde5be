"""Principal components and singular vectors of frames of any size."""

from dmlkit.decomposition.principal import PCA
from dmlkit.decomposition.truncated import TruncatedSVD

__all__ = ["PCA", "TruncatedSVD"]
