"""The agent: plans, retrieves, looks, answers and verifies. Also the SDK, the command line and the evaluation.

Start reading with `library`, the one facade that all user interfaces call.
"""
