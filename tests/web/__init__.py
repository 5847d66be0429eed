"""Tests of driftgauge.web, one file per module of the package."""
