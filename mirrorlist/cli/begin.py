"""The first moment of a command that stays, before what it needs is loaded.

Importing this holds back the signals that would end it; it takes them once it can obey.
"""

import sys

from mirrorlist.signals import hold

_STAYING = ("serve", "demo", "watch", "import-cache")

if sys.argv[1:] and sys.argv[1] in _STAYING:
    hold()
