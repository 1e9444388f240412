"""``python -m locum``."""

from __future__ import annotations

from locum.cli import main

if __name__ == "__main__":
    main()
