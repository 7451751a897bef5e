"""The certificate of the library: every gradient of its own, proved, at every corner of its domain.

``cases`` says how each layer, loss and penalty is made and fed; ``names`` walks the package, so that nothing public can be left
out; :func:`certify` checks each case in every situation.
"""

from __future__ import annotations

from funcnn.certificate.certifying import certify
from funcnn.certificate.record import Certificate, Entry, Row

__all__ = ["Certificate", "Entry", "Row", "certify"]
