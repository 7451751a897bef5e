"""A second generator of random functions, which shares nothing with the first but the way of counting.

Where the first puts rules together, this one takes whole functions of statistics, physics and signal processing as they stand in
textbooks, each with the gradient that one derives with pencil and paper, in units that nobody chose.
"""
