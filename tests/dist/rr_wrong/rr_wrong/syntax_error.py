"""Is no Python."""

exec("def :")
