"""All settings in one table, in the order in which help texts and docs show them."""

from mirrorlist.settings.others import OTHERS
from mirrorlist.settings.servers import SERVERS
from mirrorlist.settings.snapshots import SNAPSHOTS
from mirrorlist.settings.watches import WATCHES

SETTINGS = (*SNAPSHOTS, *WATCHES, *SERVERS, *OTHERS)
