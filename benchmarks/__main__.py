"""Run every benchmark: ``python -m benchmarks``; each writes its part of docs/benchmarks.md."""

import subprocess
import sys
from pathlib import Path

for name in ("real_data.py", "window.py"):
    subprocess.run([sys.executable, Path(__file__).parent / name], check=True)
