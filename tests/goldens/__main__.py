"""Draw the goldens anew; look at each that `git status` names before it is committed. Wants fonts-lohit-taml."""

from tests import goldens
from tests.goldens.burned import TEXTS, burned

if __name__ == "__main__":
    for name, brief in {**goldens.briefs(), **goldens.titles()}.items():
        goldens.keep(name, goldens.drawn(brief))
    for name, (language, _, caption) in TEXTS.items():
        goldens.keep(f"caption-{name}", burned(caption, language))
