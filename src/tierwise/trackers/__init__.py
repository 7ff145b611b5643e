"""Trackers: what is told of a study, passed on to somebody else's dashboard. One file each, with ``on_tell``."""
