"""Decoding: the bytes of one artifact into `Columns`, whatever its format and its spellings.

    streams, lines, formats      bytes in bounded blocks, and which reader a file is for
    jsonlines, documents, delimited, parquet   one format each, into `Rows`: flat typed columns
    json_text, frames, commas    a document's values, layouts of data frames, decimal commas
    rows, records, flattening, objects, lists   what all formats have in common: nested values as columns
    roles, shape                 which column is what, and whether a file is one of predictions or labels at all
    values, numerals, uuids      what a value means, whatever wrote it
    keys                         what labels and predictions are joined by
    times, datekeys, zones       points in time
    latency, failures            durations of requests, and which of them failed
    outcomes                     predictions, scores and labels
    features, kinds, cells, derived   which columns are features, how each is read, and its values
    reasons, remainders, rejections, doubts, remarks   why rows and files cannot be used, and what is said of them
    blocks, decoding             the order of these steps, for a block and for a file
    explanation                  why columns were taken for what they were, for people who ask

It reads only from the open file it is given and knows no path, clock or network.
"""

from driftgauge.batch.decoding import decode, survey
from driftgauge.batch.reasons import FILE_REASONS, ROW_REASONS

__all__ = ["FILE_REASONS", "ROW_REASONS", "decode", "survey"]
