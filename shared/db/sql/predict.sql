-- Predictions in one call: a job that is queued the moment it is made (services/api/predict).

-- name: version_to_predict^
-- A version of an own or public model, without what is long.
SELECT v.id, v.status
FROM versions v JOIN models m ON m.id = v.model_id
WHERE v.id = :id AND (m.owner_id = :user_id OR m.is_public);

-- name: newest_ready_version^
-- An own or public model with its newest READY version, if it has one.
SELECT m.id AS model_id, v.id
FROM models m
LEFT JOIN LATERAL (
    SELECT id FROM versions WHERE model_id = m.id AND status = 'READY' ORDER BY id DESC LIMIT 1
) AS v ON true
WHERE m.id = :id AND (m.owner_id = :user_id OR m.is_public);

-- name: hold_input!
-- Wait for a removal that may be about to delete this input, and hold off the next until the transaction ends
-- (shared/removal).
SELECT pg_advisory_xact_lock_shared(hashtextextended(:path, 0));

-- name: queue_prediction^
-- Make a job in state QUEUED; nothing when the key is taken.
INSERT INTO jobs (id, version_id, user_id, status, rev, params, upload_key, upload_size, input_path, input_sha256,
    input_size, input_type, idempotency_key, request_hash, queued_at, deadline)
VALUES (:id, :version_id, :user_id, 'QUEUED', 1, :params, :upload_key, :input_size, :input_path, :input_sha256,
    :input_size, :input_type, :idempotency_key, :request_hash, now(), now() + :deadline_s * interval '1 second')
ON CONFLICT (user_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
RETURNING *;

-- name: job_of_key^
-- The job that a key stands for, while the key is fresh.
SELECT id, request_hash FROM jobs
WHERE user_id = :user_id AND idempotency_key = :idempotency_key
  AND created_at > now() - :hours * interval '1 hour';

-- name: release_key!
-- A key that has had its day may be used for another job.
UPDATE jobs SET idempotency_key = NULL
WHERE user_id = :user_id AND idempotency_key = :idempotency_key
  AND created_at <= now() - :hours * interval '1 hour';

-- name: jobs_ended
-- Those of the jobs given that have ended or are gone.
SELECT wanted.id FROM unnest(:ids::uuid[]) AS wanted (id)
LEFT JOIN jobs j ON j.id = wanted.id
WHERE j.id IS NULL OR j.status IN ('SUCCEEDED', 'FAILED', 'CANCELED');
