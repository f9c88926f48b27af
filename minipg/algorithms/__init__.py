"""One loop an algorithm; each is a choice of ψ_t and a choice of step."""
