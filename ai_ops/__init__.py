"""AI-Ops: from a production log line to a proved pull request.

The house is described in ``doc/ARCHITECTURE.md``; the words it uses in ``doc/glossary.md``.
"""

__version__ = "0.1.0"
