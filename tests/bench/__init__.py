"""The benchmark suite: ``make bench``. It prints, it never asserts; history is in doc/benchmarks.md."""
