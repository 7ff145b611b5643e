"""Strategies: what to evaluate next, as a pure function of what is known. One file each."""
