"""The workloads: one file each, whose name is the workload's."""
