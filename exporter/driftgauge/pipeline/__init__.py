"""One refresh, from feeds to model states, in the order that makes every row count once.

    refresh    discover, read in parallel, commit step by step, expire: the order itself
    turns      which models work, of those that are begun
    attempt    one model tried: what its failure means
    step, pace what one commit takes, and how much goes together
    saying     what is said of files
    doubts, unjoined   what is said of a model as a whole, and of its labels
    journal    what was said, kept for the landing page
    feeds      which feed has the files of which model
    work       which files are to be read, and what is put on record of each
    memory     what is known of a model between refreshes
    restoring  the same as the store has it, after a restart
    settings   what shapes the reading of a model
    renewal    a reference that changed
    standards  what rows are compared with
    versions   references of single versions
    again      a model that is read again: begun, and swapped in
    seen       which rows of a file have counted
    shares     rows of a chunk, and which of them have counted
    fetching   files fetched side by side, and handed on in order
    reading    files -> what they add
    growth     whether a file has grown or was replaced
    executor   where that is done: in this process, or
    processes  in worker processes, so that a hostile file costs itself only
    worker     one of these
    mapped     what workers share, in files that they map
    heap       memory that nothing uses any more, returned to the machine
    delta      what rows add, and by what they are folded
    rows       prediction rows -> what they add, with labels that came with them
    labels     label rows, and rows that were joined with their labels
    panes      rows by version and pane
    commit     a delta, its label join and the cursor -> one transaction
    recount    corrected labels
    baseline   a reference file -> compiled reference and baseline metrics

What a refresh returns is values; serving them is `service`'s business. Nothing is imported here: a worker process
needs `reading` and would wait for the statistics that only `refresh` needs.
"""
