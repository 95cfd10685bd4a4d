"""Training the CogVideoX experts from a catalog: collect, encode, train, judge, register."""
