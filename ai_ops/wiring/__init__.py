"""The only place that constructs adapters: settings in, a running server or local monitor out."""
