"""``report.html``: what a run has learned, as one page without other files."""
