"""The bug museum: published bugs planted in our own source, what catches each, what each costs.

Rows of ../shared/PITFALLS.md; `python scripts/verify.py --bugs` prints them.
"""

from minipg.museum import advantages, critics, densities, estimators, play, trust_region

MODULES = (advantages, critics, densities, estimators, play, trust_region)
BUGS = sorted((bug for module in MODULES for bug in module.BUGS), key=lambda bug: bug.number)
