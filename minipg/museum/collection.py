"""Every planted bug, by the number of its pitfall."""

from minipg.museum import advantages, critics, densities, estimators, play, trust_region

MODULES = (advantages, critics, densities, estimators, play, trust_region)
BUGS = sorted((bug for module in MODULES for bug in module.BUGS), key=lambda bug: bug.number)
