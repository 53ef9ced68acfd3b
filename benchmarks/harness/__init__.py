"""What every bench uses: figures, rounds, processes, and how results are shown."""
