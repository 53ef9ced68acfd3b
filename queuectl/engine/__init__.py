"""The one loop that runs jobs, and how it starts, watches and ends their processes."""
