"""Every alert: from thresholds to expression and words. One module per group of the rule files.

`watching` has their shared parts. `rules` writes them to files.
"""
