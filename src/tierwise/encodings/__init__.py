"""Encodings: an architecture batch becomes a feature array. One file each."""
