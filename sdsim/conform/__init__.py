"""Is the log of a real run a possible history of the machines?"""
