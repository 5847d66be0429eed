"""Tests of driftgauge.generator, one file per module of the package."""
