"""The same job in other stream processors, for ``python -m bench throughput``; run in an environment of their own."""
