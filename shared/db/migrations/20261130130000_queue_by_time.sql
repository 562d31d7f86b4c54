-- migrate:up

-- The sweeper looks for jobs that were queued before some time, however many wait behind them.
DROP INDEX jobs_open_idx;
CREATE INDEX jobs_open_idx ON jobs (status, updated_at) WHERE status IN ('UPLOADING', 'QUEUED', 'RUNNING');

-- migrate:down

DROP INDEX jobs_open_idx;
CREATE INDEX jobs_open_idx ON jobs (status, id) WHERE status IN ('UPLOADING', 'QUEUED', 'RUNNING');
