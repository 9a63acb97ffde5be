"""What `benchmarks.time_windows` is made of: the job, its data, one file for each system."""
