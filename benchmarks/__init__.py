"""``make bench``: what a request costs, as ratios from alternating rounds of one run; see docs/performance.md."""

from __future__ import annotations
