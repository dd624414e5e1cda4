"""Everything that a reader, a retriever or a command can do wrong, each in a class or function named for it."""
