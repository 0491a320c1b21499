"""One of several processes that do the same at the same moment: `python -m tests.integration.rival WHAT [JOB [TIMES]]`.

Says `ready`, waits for a line, does it, and prints what came of it.
"""

import sys

from bhiv.catalog import Catalog, ledger, open_catalog
from bhiv.settings import load_settings


def wait() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


def claim(catalog: Catalog, job: str, owner: str) -> str:
    lease = ledger.claim(catalog, job, owner, 30)
    return "none" if lease is None else str(lease.token)


def main(what: str, job: str = "", owner: str = "", times: str = "1") -> None:
    if what == "open":
        wait()
        open_catalog(load_settings()).close()
        answer = "opened"
    elif what == "alone":
        with open_catalog(load_settings()) as catalog, catalog.alone("dispatch") as held:
            wait()
            answer = str(held)
    else:
        with open_catalog(load_settings()) as catalog:
            wait()
            answer = " ".join(claim(catalog, job, owner) for _ in range(int(times)))
    sys.stdout.write(f"{answer}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
