"""The numbers of docs/performance.md: `make bench`."""
