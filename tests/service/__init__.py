"""Tests of the two processes."""
