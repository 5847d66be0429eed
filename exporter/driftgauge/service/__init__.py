"""The running exporter: two processes, and what passes between them.

The front is the process of `driftgauge serve`. It answers HTTP from the last publication and computes nothing. The
refresher is its child: it runs the pipeline and hands over one publication per refresh.

front        the last publication, reload and readiness: what the web server asks
starting     the first second of the front, in which only `/-/healthy` is answered
supervisor   keeps a refresher running: starts it, ends it, starts it again
process      the refresher as a child process, with its workers
config_file  a configuration file as it was read
channel      the messages between the two
publication  what one refresh hands over, as bytes and back
questions    what the front asks the refresher in between: reports
notify       what systemd is told
health       what is known of refreshes, and the families that say so
landing      the rows of the landing page, from the figures that the refresher sent
logs         log lines to stderr, the same in both processes
refresher    the refresh loop; `__main__` runs it in its process
refreshing   one refresh: all that needs the pipeline
figures      what the landing page shows of each model
facts        what is known of a model when that is made
judging      what alerts say of a model now
reporting    reports on models, from what a refresh knows
reports      those that the front asks for
writing_back results of models into MLflow
config_hash  a hash of the configuration in force

All but the last nine are the front's as well, so they import neither MLflow nor pandas, pyarrow, scipy or DuckDB.
"""
