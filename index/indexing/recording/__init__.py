"""Recording: a stream that is indexed while it runs, as parts that grow and are committed with each segment.

Reading the stream lives in `tools.media.live`, the loop in `agent.live`. Start reading with `parts`.
"""
