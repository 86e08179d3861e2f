"""One module per command. Each has `execute(arguments) -> CommandResult`; printing is the business of `cli`."""
