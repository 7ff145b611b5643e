"""Networks in plain PyTorch: one file for each space."""
