"""A scan from its beginning to its commit."""

import time

from snapshot.link import linked
from snapshot.scan.case import Case, Phases
from snapshot.scan.job import Progress, ScanJob, ScanResult


def scan(job: ScanJob, progress: Progress = lambda *_: None) -> ScanResult:
    """Scan a category of the primary; raises a BackendError, and then nothing is changed."""
    phases = Phases([], time.perf_counter())
    begun = phases.started
    category = job.settings.of_category(job.category, job.source)
    with linked(job.database) as link:
        case = Case(job, category, link, phases, progress)
        result = case.unchanged() if case.is_known() else _renewed(case)
    result.seconds = time.perf_counter() - begun
    return result


def _renewed(case: Case) -> ScanResult:
    # Imported here: most scans find nothing new, and loading this takes longer than they do.
    from snapshot.scan.renewal import Renewal

    return Renewal(case).run()
