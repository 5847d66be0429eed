"""What driftgauge makes of somebody's data, before anything is served: `inspect` and `check-config --online`.

    starting    a file, a run or a configuration, and what the files say about it
    choosing    which files are looked at
    inspecting  one model looked at: files, reference, and a refresh in a state of its own
    looking     one file, from what the decoder decided: what a worker does
    facts       what was found in files, as values that add up
    tasks       which task predictions belong to
    joining     labels and the predictions that they belong to
    comparing   features of live rows and of the reference
    publishing  what would be published, and why the rest is absent
    drafting    the configuration to paste
    reporting   from all this to findings
    findings    what was found, as plain values
    text        findings for a terminal
    online      the short form, for every model of a configuration
    commands    the commands

Nothing here reads columns: roles, units, kinds and rejections are those of `batch`, and figures those of a refresh.
"""
