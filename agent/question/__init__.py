"""Questions: from a typed question to a plan.

A short grammar reads what code must get exactly right: times, quotes, counts, order, options.
Retrieval does not belong here: `answering` locates the event and the span that a plan refers to.
Start reading with `planning`.
"""
