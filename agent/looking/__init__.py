"""Looking: decoding frames to answer a question.

`model_frames` chooses the frames for a model, `detector` looks with the detector, `moments` finds spans.
"""
