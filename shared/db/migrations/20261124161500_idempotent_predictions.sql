-- migrate:up

-- A retried prediction finds its job by the key that its client gave it (docs/api.md, Predict).
ALTER TABLE jobs ADD COLUMN idempotency_key text, ADD COLUMN request_hash bytea;
CREATE UNIQUE INDEX jobs_idempotency_idx ON jobs (user_id, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- migrate:down

ALTER TABLE jobs DROP COLUMN request_hash, DROP COLUMN idempotency_key;
