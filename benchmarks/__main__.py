"""Runs every benchmark, or those named: `python -m benchmarks http arguments`."""

import subprocess
import sys
from pathlib import Path

modules = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))
chosen = [f"bench_{name}" for name in sys.argv[1:]] or modules
for module in chosen:
    print(f"== {module.removeprefix('bench_')}", flush=True)
    # A process each: they configure Django differently.
    subprocess.run([sys.executable, "-m", f"benchmarks.{module}"], check=True)
