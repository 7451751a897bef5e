"""Tables: read from files and frames as typed columns, and turned into arrays by a transform that was fitted on training rows."""
