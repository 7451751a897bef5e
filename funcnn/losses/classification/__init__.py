"""Losses of classes: cross-entropies, margins, overlaps, alignments."""
