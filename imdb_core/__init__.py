"""The ground floor: what every other package shares. It imports none of them."""
