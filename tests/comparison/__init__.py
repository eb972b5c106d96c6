"""The comparison with the incumbent: the same data, the same requests, the meaning of answers."""
