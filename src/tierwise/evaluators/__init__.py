"""Evaluators: what tells how good an architecture is. ``Train`` trains its network on data of one's own."""
