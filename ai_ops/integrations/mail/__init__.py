"""Mail: rendering of reports, and delivery by SMTP or into files."""
