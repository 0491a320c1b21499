"""The figures that the README quotes; `make bench` measures all, `python -m benchmarks NAME` one."""
