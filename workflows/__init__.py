"""End-to-end jobs, one readable file each, built on dmlkit's public names."""
