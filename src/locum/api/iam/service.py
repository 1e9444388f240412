"""The service that the commands of this package belong to."""

from __future__ import annotations

from typing import Final

from locum.api.shapes import Service

__all__ = ["IAM"]

IAM: Final = Service("iam", "2010-05-08", "https://iam.amazonaws.com/doc/2010-05-08/", echoes=False)
"""AWS Identity and Access Management: protocol awsQuery, one endpoint for all regions (IAM-GEN-001)."""
