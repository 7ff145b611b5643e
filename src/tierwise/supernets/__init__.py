"""Networks whose choices are open: every candidate is there, with its own weights."""
