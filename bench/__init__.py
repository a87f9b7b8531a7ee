"""Measurements that anyone can run again: `make bench` writes docs/benchmarks.md."""
