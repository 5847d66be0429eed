"""Mergeable summaries of rows, of which windows are sums.

Every aggregate is an immutable value with the same small algebra:

    fold      rows -> aggregate
    combine   aggregates -> one; its identity is `empty(…)`, or `combine([])` where there are no parameters
    to_state / from_state   a lossless round trip through `codec`

Counts combine associatively and commutatively, exactly; floating-point sums up to rounding. Nothing is ever
subtracted. One law suite (`tests/aggregates/test_laws.py`) runs over all of them.
"""
