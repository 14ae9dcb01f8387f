"""Networks of the deep recommenders and their training, on PyTorch and NumPy alone.

Imported inside functions only: a model can be listed, described and built without PyTorch. Nothing here imports the
rest of RecLens, so that a network can be trained on a machine that has PyTorch and NumPy.
"""
