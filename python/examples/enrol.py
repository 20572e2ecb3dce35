"""Once for each study: every hospital makes its folder of keys, and somebody makes the roster of what they send.

    python enrol.py FOLDER site-1 site-2 site-3

makes all of it in one place, for a demonstration. In earnest each hospital calls `SumSite.enrol` where its keys will be used, and the
roster's digest is compared by telephone.
"""

import sys
from pathlib import Path

from blindscope import Roster, SumSite


def enrolled(folder, names):
    """Folders of these sites below `folder`, and `roster.json` beside them."""
    entries = [SumSite.enrol(Path(folder) / name, number, name) for number, name in enumerate(names)]
    roster = Roster.of(entries, study="an example", threshold=2, colluders=1)
    (Path(folder) / "roster.json").write_bytes(roster.to_bytes())
    return roster


if __name__ == "__main__":
    print(enrolled(sys.argv[1], sys.argv[2:]).digest)
