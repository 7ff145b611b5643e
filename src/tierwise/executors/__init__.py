"""Executors: where evaluations run. One file each, a ``concurrent.futures.Executor`` each."""
