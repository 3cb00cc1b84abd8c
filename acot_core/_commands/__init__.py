"""The subcommands of `acot`: one module each, with ``main(arguments) -> exit status``."""
