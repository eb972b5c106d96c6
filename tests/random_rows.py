"""Random changes of a database of the small world, as SQL for SQLite and PostgreSQL alike."""

from random import Random

# A change has one or more statements; each word in braces is replaced at random.
# `few` picks some rows by their ids, `new` is a number that was not used before.
CHANGES: dict[str, tuple[str, ...]] = {
    "a row is switched": ("UPDATE host_category_dir SET up2date = NOT up2date WHERE {few}",),
    "rows are added": (
        (
            "INSERT INTO host_category_dir (host_category_id, path, up2date, directory_id)"
            " SELECT id, '/{new}', true, {directory} FROM host_category WHERE {few}"
        ),
    ),
    "a directory twice": (
        (
            "INSERT INTO host_category_dir (host_category_id, path, up2date, directory_id)"
            " SELECT host_category_id, '{new}-' || id, true, directory_id"
            " FROM host_category_dir WHERE {few} AND id < 1000"
        ),
    ),
    "rows without a directory": (
        "UPDATE host_category_dir SET directory_id = NULL WHERE {few}",
        (
            "INSERT INTO host_category_dir (host_category_id, path, up2date)"
            " SELECT min(id), 'none-{new}', true FROM host_category"
        ),
    ),
    "rows are deleted": ("DELETE FROM host_category_dir WHERE {few}",),
    "rows are moved to another host": (
        (
            "UPDATE host_category_dir SET path = '{new}-' || id,"
            " host_category_id = (SELECT max(id) FROM host_category WHERE {few}) WHERE {few}"
            " AND EXISTS (SELECT 1 FROM host_category WHERE {few})"
        ),
    ),
    "rows get another directory": (
        "UPDATE host_category_dir SET directory_id = {directory} WHERE {few}",
    ),
    "directories of a host are exchanged": (
        (
            "UPDATE host_category_dir SET directory_id = 5 - directory_id"
            " WHERE directory_id IN (2, 3) AND {few}"
        ),
    ),
    "all hosts lose a directory": (
        "UPDATE host_category_dir SET up2date = false WHERE directory_id = {directory}",
    ),
    "everything is there again": ("UPDATE host_category_dir SET up2date = true",),
    "a host category appears": (
        (
            "INSERT INTO host_category (id, host_id, category_id, always_up2date)"
            " SELECT 1{new}, min(id), 2, false FROM host WHERE {few} AND id NOT IN"
            " (SELECT host_id FROM host_category WHERE category_id = 2) HAVING min(id) > 0"
        ),
        (
            "INSERT INTO host_category_url (host_category_id, url, private)"
            " SELECT id, 'http://new{new}.example/', false FROM host_category WHERE id = 1{new}"
        ),
        (
            "INSERT INTO host_category_dir (host_category_id, path, up2date, directory_id)"
            " SELECT id, 'first', true, {directory} FROM host_category WHERE id = 1{new}"
        ),
    ),
    "a host category vanishes": (
        "DELETE FROM host_category_dir WHERE host_category_id = {host}1",
        "DELETE FROM host_category_url WHERE host_category_id = {host}1",
        "DELETE FROM host_category WHERE id = {host}1",
    ),
    "its rows alone vanish": ("DELETE FROM host_category_dir WHERE host_category_id = {host}1",),
    "always up to date": (
        "UPDATE host_category SET always_up2date = NOT always_up2date WHERE {few}",
    ),
    "a host is switched": ("UPDATE host SET user_active = NOT user_active WHERE {few}",),
    "a host is private": ("UPDATE host SET private = NOT private WHERE {few}",),
    "a host moves": ("UPDATE host SET country = 'NL', bandwidth_int = {new} WHERE {few}",),
    "a site is switched": ("UPDATE site SET admin_active = NOT admin_active WHERE {few}",),
    "a URL": ("UPDATE host_category_url SET url = 'http://{new}.example/' || id WHERE {few}",),
    "a new directory": (
        (
            "INSERT INTO directory (id, name, readable, ctime)"
            " VALUES (1{new}, 'pub/linux/{new}', true, {new})"
        ),
        "INSERT INTO category_directory (category_id, directory_id) VALUES (1, 1{new})",
        (
            "INSERT INTO host_category_dir (host_category_id, path, up2date, directory_id)"
            " SELECT id, '{new}', true, 1{new} FROM host_category WHERE category_id = 1"
        ),
    ),
    "new directories vanish": (
        "DELETE FROM host_category_dir WHERE directory_id > 1000 AND directory_id % 2 = {new} % 2",
        "DELETE FROM category_directory WHERE directory_id > 1000 AND directory_id % 2 = {new} % 2",
        "DELETE FROM directory WHERE id > 1000 AND id % 2 = {new} % 2",
    ),
    "a directory changes": ("UPDATE directory SET ctime = {new} WHERE {few}",),
    "a directory is renamed": ("UPDATE directory SET name = name || '-{new}' WHERE id = 7",),
    "a directory leaves its category": (
        "DELETE FROM category_directory WHERE directory_id = {directory}",
    ),
    "a directory is in both categories": (
        "DELETE FROM category_directory WHERE category_id = 2 AND directory_id = {directory}",
        "INSERT INTO category_directory (category_id, directory_id) VALUES (2, {directory})",
    ),
    "a topdir": ("UPDATE category SET topdir_id = {directory} WHERE id = 2",),
    "a topdir is back": ("UPDATE category SET topdir_id = 4 WHERE id = 2",),
    "a repository": ("UPDATE repository SET disabled = NOT disabled WHERE {few}",),
    "a redirect": ("UPDATE repository_redirect SET to_repo = 'epel-{new}'",),
    "a file": ("UPDATE file_detail SET timestamp = {new}, size = {new} WHERE {few}",),
    "a netblock": (
        (
            "INSERT INTO host_netblock (id, host_id, netblock)"
            " SELECT {new}00 + id, id, '198.51.' || ({new} % 256) || '.0/24' FROM host WHERE {few}"
        ),
    ),
    "netblocks vanish": ("DELETE FROM host_netblock WHERE {few}",),
    "a country's netblock": (
        (
            "INSERT INTO netblock_country (netblock, country)"
            " VALUES ('203.0.' || ({new} % 256) || '.0/25', 'CH')"
        ),
    ),
    "an ASN": ("INSERT INTO host_peer_asn (host_id, asn) SELECT id, {new} FROM host WHERE {few}",),
    "a continent": (
        "DELETE FROM country_continent_redirect",
        "INSERT INTO country_continent_redirect (country, continent) VALUES ('Z{letter}', 'EU')",
    ),
    "an allowed country": (
        "DELETE FROM host_country_allowed",
        (
            "INSERT INTO host_country_allowed (host_id, country)"
            " SELECT min(id), 'FR' FROM host WHERE {few} HAVING min(id) > 0"
        ),
    ),
}


class Changes:
    """An endless sequence of random changes; the same seed gives the same sequence."""

    def __init__(self, seed: int) -> None:
        """Take the seed."""
        self._dice = Random(seed)
        self._new = 100

    def next(self, name: str | None = None) -> tuple[str, list[str]]:
        """Return the name of a change, given or at random, and its statements."""
        dice = self._dice
        self._new += 1
        chosen = name or dice.choice([*CHANGES])
        words = {
            "few": f"id % {dice.choice((2, 3, 5, 7, 11))} = {dice.randrange(3)}",
            "new": self._new,
            "directory": dice.randrange(1, 8),
            "host": dice.randrange(1, 10),
            "letter": "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[self._new % 26],
        }
        return chosen, [statement.format(**words) for statement in CHANGES[chosen]]
