//! Seeds, precision and noise statistics for tests.
