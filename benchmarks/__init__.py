"""Speed against the reference implementations: ratios within one run, never absolute claims."""
