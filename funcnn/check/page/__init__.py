"""Reports as text, as HTML and as pictures."""
