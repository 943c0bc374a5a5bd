"""Contract suites and honest fakes: what every backend of a protocol must pass."""
