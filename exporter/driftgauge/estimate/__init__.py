"""Formulas and fitted models behind the signals: what is learned from a reference, and what follows from sums.

Everything here is pure: arrays and aggregates in, numbers out. It knows no windows, no files and no metric names.
Sources of the formulas are in docs/statistics.md.
"""
