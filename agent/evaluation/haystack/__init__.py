"""The haystack: hour-long videos composed from a seed, and questions with true spans.

Start reading with `compose`; `needles` runs the benchmark.
"""
