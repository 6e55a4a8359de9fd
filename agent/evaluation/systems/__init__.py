"""Systems under evaluation: published baselines, caption and transcript systems, and this agent.

All follow the protocol `System` of `agent.evaluation.records`.
Start reading with `baselines`.
"""
