"""Plans, searches, answers, checks; the SDK and the command line."""
