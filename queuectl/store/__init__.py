"""The queue in SQL: verbs for what may happen to jobs, specs, fires, workers and queues."""
