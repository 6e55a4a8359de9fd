"""Questions: from a typed question to a plan.

A short grammar reads what code must get exactly right: times, quotes, counts, order, options.
Retrieval does not belong here, with one exception: `anchors` locates the event that a question refers to.
Start reading with `planning`.
"""
