"""Optimisers of the weights of candidates in a supernet, one file each."""
