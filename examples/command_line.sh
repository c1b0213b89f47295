#!/usr/bin/env bash
# The whole loop from the command line, on made cells: bash examples/command_line.sh [seconds of training]
set -euo pipefail
seconds=${1:-30}
folder=$(mktemp -d)
python "$(dirname "$0")/make_cells.py" "$folder"
cd "$folder"

annotrain train images annotations --out cells.safetensors --seconds "$seconds"
annotrain predict cells.safetensors stack.tif --out labels.tif
annotrain evaluate labels.tif truth.tif --as classes
annotrain models show cells.safetensors
echo "Everything is in $folder."
