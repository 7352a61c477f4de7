"""Images, encoders, the case store, and retrieval of similar cases.

Importing this package loads nothing heavy: an encoder or a store is loaded when it is chosen.
"""

from doubleread.core.lazy_modules import submodules

__getattr__ = submodules(__name__)
