"""The command ``tierwise``."""
