"""What a process that stays needs: to speak, run threads, take signals and do long work aside.

Nothing here may raise because of a full disk, a closed pipe or a refused thread, and nothing here
makes its caller wait for a reader. This room knows no snapshot, no request and no HTTP.
"""
