"""The certificate of the library: every gradient of its own, proved, at every corner of its domain.

``cases`` says how each layer and loss is made and fed; ``names`` walks the package, so that nothing public can be left out.
"""
