"""Networks in plain PyTorch: one file for each space; cells and chains of declared ones from named operations."""
