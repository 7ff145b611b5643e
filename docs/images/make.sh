#!/usr/bin/env bash
# The pictures of the README, made anew: docs/images/make.sh [TABLE]   (needs chromium; TABLE: test accuracies, as for --truth)
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
.venv/bin/tierwise run --study "$folder/run.db" ${1:+--truth "$1"}
chromium --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync \
    --user-data-dir="$folder/browser" --window-size=1200,1215 --screenshot="$folder/report.png" "file://$folder/run.html"
.venv/bin/python - "$folder/report.png" docs/images/report.png <<'PYTHON'
import sys
from PIL import Image
Image.open(sys.argv[1]).convert("RGB").quantize(128).save(sys.argv[2], optimize=True)
PYTHON
