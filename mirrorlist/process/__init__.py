"""The needs of a long-running process: messages, threads, signals, and long work beside the loop.

Nothing here may raise because of a full disk, a closed pipe or a refused thread, and nothing here
makes its caller wait for a reader. This room knows no snapshot, no request and no HTTP.
"""
