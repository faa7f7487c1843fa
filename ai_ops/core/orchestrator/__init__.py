"""The thin shell over the ports: one async function each for repair, publish and prompt.

``worker.Worker`` is what the engine calls; it moves the task along its states and turns failures
into named ones. The functions beside it are plain Python over the ``Steps`` port.
"""
