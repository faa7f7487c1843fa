"""The nouns, in order of travel: Event, Issue, Task, Run, Step, PullRequest, Notification.

Frozen values without I/O. They use the standard library only, because the agent carries them too.
"""
