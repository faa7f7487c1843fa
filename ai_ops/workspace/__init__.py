"""The folders of a run, and the sandbox its commands run in."""
