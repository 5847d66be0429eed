"""One refresh, from MLflow to model states, in the order that makes every row count once.

    refresh    discover, read in parallel, commit step by step, expire: the order itself
    work       which files are to be read, and what is put on record of each
    memory     what is known of a model between refreshes and after a restart
    fetching   files downloaded side by side, and handed to workers
    reading    artifacts -> what they add
    executor   where that is done: in this process, or
    processes  in worker processes, so that a hostile file costs itself only
    mapped     what workers share, in files that they map
    heap       memory that nothing uses any more, returned to the machine
    delta      decoded rows -> what they add to panes and counters
    commit     a delta, its label join and the cursor -> one transaction
    baseline   a reference file -> compiled reference and baseline metrics

What a refresh returns is values; serving them is `service`'s business. Nothing is imported here: a worker process
needs `reading` and would wait for the statistics that only `refresh` needs.
"""
