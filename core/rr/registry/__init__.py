"""registry.yaml, the plugins that are installed, and what its names come to with them."""
