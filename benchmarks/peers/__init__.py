"""The systems that a user would otherwise pick, each set up as its own documentation says."""
