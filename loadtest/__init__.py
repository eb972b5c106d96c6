"""Tools for load tests: a production-size database, its data files, and a request log."""
