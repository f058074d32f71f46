-- What an experiment was created from, to tell a repeat from a clash; NULL for those of version 1.
ALTER TABLE experiments ADD COLUMN origin TEXT;
