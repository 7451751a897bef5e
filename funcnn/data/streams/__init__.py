"""Data that do not fit in memory: rows that are read when they are asked for, and a thread that asks ahead."""
