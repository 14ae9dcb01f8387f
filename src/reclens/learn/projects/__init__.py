"""The five projects, one file each."""
