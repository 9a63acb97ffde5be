"""Models of other libraries on frames of any size."""

from dmlkit.wrappers.on_partitions import OnPartitions

__all__ = ["OnPartitions"]
