"""What a report can be held against: signatures of mail systems, and what hosts of ours say that they verified."""
