"""Durable execution behind the Steps port.

``durable`` is the engine of the server and the only module that knows the vendor; ``memory`` is its
honest twin. What both share stands beside them: ``recorded`` (a step runs once), ``line`` and ``slots``
(whose turn it is), ``duty`` (one run from its first to its last moment) and ``reconcile`` (what a restart
mends). ``maintenance`` is the file that holds the queue up.
"""
