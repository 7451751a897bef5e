"""Linear maps: dense, linear, bilinear, maxout, scale."""
