"""Lists of any length against the suppression list: rows in, the rows that may be mailed out."""
