"""The page of ``tierwise serve``: what `tierwise.navigator` says, guarded and sent to a browser on this machine."""
