-- migrate:up

-- The sweeper looks for jobs that were queued before some time, however many wait behind them.
DROP INDEX jobs_open_idx;
CREATE INDEX jobs_open_idx ON jobs (status, updated_at) WHERE status IN ('UPLOADING', 'QUEUED', 'RUNNING');

-- A hash index goes through all entries of a key to add one: each change of a job with an often used picture would cost
-- what its other jobs are many.
DROP INDEX jobs_input_idx;
CREATE INDEX jobs_input_idx ON jobs (input_path) WHERE input_path IS NOT NULL;

-- migrate:down

DROP INDEX jobs_input_idx;
CREATE INDEX jobs_input_idx ON jobs USING hash (input_path) WHERE input_path IS NOT NULL;
DROP INDEX jobs_open_idx;
CREATE INDEX jobs_open_idx ON jobs (status, id) WHERE status IN ('UPLOADING', 'QUEUED', 'RUNNING');
