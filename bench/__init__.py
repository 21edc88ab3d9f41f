"""Benchmarks: pytest-benchmark over kernels and steps (bench_*.py), and scripts beside peers."""
