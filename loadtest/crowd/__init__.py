"""Users that behave like dnf, by locust: their kinds, their requests, and what they saw.

Never here: CPU a request to the microsecond (that is `bench`), because locust costs more than us.
"""
