"""The ``kaynak`` command: a file per command. Nothing heavy is imported before a command needs it."""
