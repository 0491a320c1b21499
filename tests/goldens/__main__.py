"""Draw the goldens anew; look at each that `git status` names before it is committed."""

from tests import goldens

if __name__ == "__main__":
    for name, brief in goldens.briefs().items():
        goldens.keep(name, goldens.drawn(brief))
