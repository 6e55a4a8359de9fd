"""Instruments: look at pixels, listen to sound, ask a model. They know nothing of the index."""
