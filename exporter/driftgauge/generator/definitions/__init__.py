"""Every alert: from thresholds to expression and words. One module per group of the rule files.

`watching` has what they share; which file they end up in, and what YAML looks like, is unknown here.
"""
