"""The actions of a session, one file each: functions of what the session knows."""

from doubleread.core.lazy_modules import submodules

__getattr__ = submodules(__name__)
