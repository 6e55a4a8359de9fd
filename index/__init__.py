"""What was perceived: stored, committed, searched."""
