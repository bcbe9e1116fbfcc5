"""The network and what trains, measures and draws it. README.md beside this file says where to find what."""

import sys

if sys.version_info < (3, 10):  # noqa: UP036
    sys.exit("This project needs Python 3.10 or newer, and this is Python {}.{}.".format(*sys.version_info[:2]))
