"""The service that the commands of this package belong to."""

from __future__ import annotations

from typing import Final

from locum.api.shapes import Service

__all__ = ["ORGANIZATIONS"]

ORGANIZATIONS: Final = Service("organizations", "2016-11-28", "", echoes=False, target="AWSOrganizationsV20161128")
"""AWS Organizations: protocol awsJson 1.1, one endpoint for all regions (ORG-GEN-001)."""
