"""A clean-up that is never content: it cleans again and again under the hardest rules.

Run as `python -m tests.integration.greedy`, it says `removed spared` after every round, and ends with its input.
"""

import select
import sys

from bhiv.bucket import open_bucket
from bhiv.catalog import open_catalog
from bhiv.cleaning import CleanUpRules, clean
from bhiv.settings import load_settings

RULES = CleanUpRules(tmp_hours=1, unused_days=0.1, cap_gigabytes=0)


def main() -> None:
    settings = load_settings()
    with open_catalog(settings) as catalog:
        while not select.select([sys.stdin], [], [], 0)[0]:
            report = clean(open_bucket(settings), RULES, catalog)
            sys.stdout.write(f"{sum(one.objects for one in report.removed)} {report.spared}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
