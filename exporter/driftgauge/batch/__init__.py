"""Decoding: the bytes of one artifact into `Columns`, whatever its format and its spellings.

    streams, formats                              bytes in bounded blocks, and which reader a name asks for
    jsonlines, documents, delimited, parquet      one format each, into `Rows`: flat typed columns
    json_text                                     a document's values, through a window of its text
    rows, records, flattening                     what all formats have in common
    roles, values, times, outcomes, features      the role of each column, and the meaning of its values
    reasons                                       why a row or a file cannot be used
    blocks, decoding                              the order of these steps, for a block and for a file
    explanation                                   why columns were taken for what they were, for people who ask

It reads only from the open file it is given and knows no path, clock or network.
"""

from driftgauge.batch.decoding import decode, survey
from driftgauge.batch.reasons import FILE_REASONS, ROW_REASONS

__all__ = ["FILE_REASONS", "ROW_REASONS", "decode", "survey"]
