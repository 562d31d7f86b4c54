-- migrate:up

-- One request with many inputs of one version (docs/api.md, Batches).
CREATE TABLE batches (
    id uuid PRIMARY KEY,
    version_id uuid NOT NULL REFERENCES versions ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    status text NOT NULL DEFAULT 'UPLOADING'
        CHECK (status IN ('UPLOADING', 'QUEUED', 'RUNNING', 'COMPLETED', 'CANCELED')),
    rev integer NOT NULL DEFAULT 0,
    deadline timestamptz,
    params jsonb NOT NULL DEFAULT '{}',
    -- the ZIP of the inputs: where a client may put it, and where it lies once nobody can change it
    upload_key text NOT NULL,
    input_path text,
    input_size bigint,
    total integer NOT NULL DEFAULT 0,
    succeeded integer NOT NULL DEFAULT 0,
    failed integer NOT NULL DEFAULT 0,
    output_bytes bigint NOT NULL DEFAULT 0,
    error_code text,
    error_message text,
    traceparent text NOT NULL DEFAULT '',
    idempotency_key text,
    request_hash bytea,
    queued_at timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX batches_user_idx ON batches (user_id, id DESC);
CREATE INDEX batches_version_idx ON batches (version_id);
CREATE INDEX batches_open_idx ON batches (status, id) WHERE status IN ('UPLOADING', 'QUEUED', 'RUNNING');
CREATE UNIQUE INDEX batches_idempotency_idx ON batches (user_id, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- Consecutive inputs of a batch: what a runner claims at once. `first` is the place of the first one in the batch.
CREATE TABLE chunks (
    batch_id uuid NOT NULL REFERENCES batches ON DELETE CASCADE,
    first integer NOT NULL,
    user_id uuid NOT NULL,
    status text NOT NULL DEFAULT 'QUEUED' CHECK (status IN ('QUEUED', 'RUNNING', 'DONE', 'FAILED', 'CANCELED')),
    epoch integer NOT NULL DEFAULT 0,
    lease_until timestamptz,
    worker text,
    ready_at timestamptz NOT NULL DEFAULT now(),
    deadline timestamptz NOT NULL,
    -- name, size and place in the ZIP of each
    inputs jsonb NOT NULL,
    succeeded integer NOT NULL DEFAULT 0,
    failed integer NOT NULL DEFAULT 0,
    -- the archive of the outputs, and where in it the outcomes lie
    archive jsonb,
    error_message text,
    PRIMARY KEY (batch_id, first)
);
CREATE INDEX chunks_queued_idx ON chunks (user_id, batch_id, first) WHERE status = 'QUEUED';
CREATE INDEX chunks_running_idx ON chunks (user_id) WHERE status = 'RUNNING';

-- migrate:down

DROP TABLE chunks, batches;
