"""Published weights: networks of known architectures, from folders as hubs lay them out, and back."""

from funcnn.models.pretrained.folder import Pretrained, build, load, save
from funcnn.runtime.lazy_imports import listing

__all__ = ["Pretrained", "build", "load", "save"]
__dir__ = listing(__name__, __all__)
