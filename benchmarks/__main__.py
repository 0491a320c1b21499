"""Runs the benchmarks by name, or all."""

import sys

from benchmarks import (
    alignment,
    dispatch,
    edits,
    encoder_ratio,
    growth,
    outage,
    overhead,
    parts,
    recipes,
    service,
    service_kills,
)  # fmt: skip

_ALL = {
    "alignment": alignment,
    "encoder_ratio": encoder_ratio,
    "recipes": recipes,
    "edits": edits,
    "parts": parts,
    "overhead": overhead,
    "growth": growth,
    "dispatch": dispatch,
    "outage": outage,
    "service": service,
    "service_kills": service_kills,
}

for name in sys.argv[1:] or _ALL:
    print(f"\n{name}: {(_ALL[name].__doc__ or '').strip().splitlines()[0]}", flush=True)
    for row in _ALL[name].measure():
        print(f"  {row}", flush=True)
