"""Everything that a plugin can do wrong, each in a module of its own that is named for it."""
