"""Predictors: learn from a few labels, score everything. One file each."""
