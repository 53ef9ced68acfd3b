"""What each system runs: its task that runs a command, and a way to enqueue it. Run with its own Python."""
