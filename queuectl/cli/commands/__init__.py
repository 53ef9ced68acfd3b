"""The commands, one a file; a group is a folder. `cli.app` says which there are."""
