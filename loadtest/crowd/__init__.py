"""Users as dnf makes them, by locust: who they are, what they ask for, and what they saw.

Never here: CPU a request to the microsecond (that is `bench`), because locust costs more than us.
"""
