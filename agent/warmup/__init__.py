"""``askew warmup``: teach a small reasoner to ground its steps in the case, on traces made from words alone."""
