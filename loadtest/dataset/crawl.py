"""What a crawler commits: the directories that one host lost, or has again."""

DIRECTORIES = 5000
"""How many of one host change in one transaction; at small scales fewer hosts have any."""


def crawled_hosts(directories: int) -> str:
    """Return SQL for the ids of hosts with this many directories, and whose change is published.

    Of the others nothing is published, so there would be no new file to wait for.
    """
    return f"""
SELECT host_id FROM host_category_dir d JOIN host_category c ON c.id = d.host_category_id
JOIN host h ON h.id = c.host_id JOIN site s ON s.id = h.site_id
WHERE h.admin_active AND h.user_active AND s.admin_active AND s.user_active
    AND NOT c.always_up2date
GROUP BY 1 HAVING count(*) >= {directories} ORDER BY 1
"""


def crawl(host: int, directories: int) -> str:
    """Return SQL for what a crawl of one host changes; twice the same is as it was before."""
    return f"""
UPDATE host_category_dir SET up2date = NOT up2date WHERE id IN (
    SELECT d.id FROM host_category_dir d JOIN host_category c ON c.id = d.host_category_id
    WHERE host_id = {host} ORDER BY d.id LIMIT {directories})
"""
