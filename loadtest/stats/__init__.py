"""What a question to the statistics takes, against the days of history, and a picture of it."""
