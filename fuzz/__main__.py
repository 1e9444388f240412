"""Runs one target under atheris, with bounds unless others are given: ``python -m fuzz policy_document -runs=1000``."""

from __future__ import annotations

import hashlib
import importlib
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
TARGETS: Final = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))
BOUNDS: Final = {"-max_total_time": "60", "-max_len": "16384", "-timeout": "10", "-rss_limit_mb": "2048"}
"""Seconds in all, bytes of an input, seconds and megabytes for one input."""


def corpus(name: str, seeds: tuple[bytes, ...]) -> Path:
    """The folder of interesting inputs, which grows from run to run and begins with the target's seeds."""
    folder = ROOT / "build" / "fuzz" / name
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        (folder / hashlib.sha256(seed).hexdigest()).write_bytes(seed)
    return folder


def main() -> None:
    name, *options = sys.argv[1:] or [""]
    if name not in TARGETS:
        sys.exit(f"usage: python -m fuzz {'|'.join(TARGETS)} [libFuzzer options]")
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["locum", "fuzz"]):
        target = importlib.import_module(f"fuzz.{name}")
    given = {option.partition("=")[0] for option in options}
    bounds = [f"{option}={value}" for option, value in BOUNDS.items() if option not in given]
    atheris.Setup([sys.argv[0], *bounds, *options, str(corpus(name, target.SEEDS))], target.run)
    atheris.Fuzz()


main()
