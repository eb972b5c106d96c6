"""Asks two servers the same and compares what their answers mean."""
