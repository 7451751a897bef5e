"""How Python and the machine are made fast: BLAS, threads, memory, trees, records, imports."""
