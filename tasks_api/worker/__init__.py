"""
The worker: runs the tasks that django-tasks-db stores, and goes on whatever happens.

The command starts one process, the parent, which runs no task. It starts the others, its children,
with the same command line, and each of them runs one task at a time.

`parent/`, in threads of one process:
    `supervisor`  the main thread: starts, replaces, signals and kills children, each in a `slot`.
    `heartbeat`   a thread: writes the workers' rows and heartbeats, and ends the tasks of lost workers.
    `chores`      a thread for each chore, such as `pruning`; optional apps register others.
    `init`        process 1 in a container without another init.

`child/`, in a process each:
    `process`     the main thread: claims tasks (`claims`, `transitions` by the database's kind, at the
                  `pace` of polling) and runs them (`running`, `coroutines`), each in the same `surroundings`.
    `parent_pipe` a thread: does what the parent says, and ends the process when that is gone.
    `reloading`   a thread, with `--reload`: ends the process when its code has changed.

What lies beside them serves both: a task's `verdicts`, the end of a `lost` worker and its `announcing`,
the thread's database `connection`s, the end of `forked` copies, the log's `journal`, the parent's `messages`
and a child's `exit_status`.
"""
