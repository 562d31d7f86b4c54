-- Batches and their chunks (shared/batches). A batch is its user's alone. Where a chunk and its batch both change, the
-- chunk is locked first.

-- name: create_batch^
-- A batch whose ZIP the client will upload.
INSERT INTO batches (id, version_id, user_id, params, upload_key)
VALUES (:id, :version_id, :user_id, :params, :upload_key)
RETURNING *;

-- name: insert_batch^
-- A batch whose ZIP is stored; nothing when the key is taken.
INSERT INTO batches (id, version_id, user_id, status, rev, params, upload_key, input_path, input_size, total, traceparent,
    idempotency_key, request_hash, queued_at, deadline)
VALUES (:id, :version_id, :user_id, 'QUEUED', 1, :params, :upload_key, :input_path, :input_size, :total, :traceparent,
    :idempotency_key, :request_hash, now(), now() + :deadline_s * interval '1 second')
ON CONFLICT (user_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
RETURNING *;

-- name: queue_batch^
-- UPLOADING → QUEUED, with what its ZIP holds.
UPDATE batches SET status = 'QUEUED', rev = rev + 1, input_path = :input_path, input_size = :input_size, total = :total,
    traceparent = :traceparent, queued_at = now(), deadline = now() + :deadline_s * interval '1 second',
    updated_at = now()
WHERE id = :id AND status = 'UPLOADING'
RETURNING *;

-- name: add_chunk*!
-- Consecutive inputs that wait for a runner; `delay_s` keeps them from being taken at once.
INSERT INTO chunks (batch_id, first, user_id, deadline, inputs, epoch, ready_at)
VALUES (:batch_id, :first, :user_id, :deadline, :inputs, :epoch, now() + :delay_s * interval '1 second');

-- name: hold_claims!
-- One claim at a time: the next one must see what the one before has taken.
SELECT pg_advisory_xact_lock(7350011);

-- name: claim_chunk^
-- QUEUED → RUNNING under a new epoch and a lease. Who has the fewest chunks at work is next, then who came first: a
-- small batch does not wait for the end of somebody's large one.
UPDATE chunks AS c SET status = 'RUNNING', epoch = c.epoch + 1, worker = :worker,
    lease_until = now() + :lease_s * interval '1 second'
FROM batches AS b
WHERE b.id = c.batch_id AND c.status = 'QUEUED' AND (c.batch_id, c.first) = (
    SELECT waiting.batch_id, waiting.first
    FROM (
        SELECT DISTINCT ON (user_id) user_id, batch_id, first FROM chunks
        WHERE status = 'QUEUED' AND ready_at <= now() AND deadline > now()
        ORDER BY user_id, batch_id, first
    ) AS waiting
    LEFT JOIN (SELECT user_id, count(*) AS chunks FROM chunks WHERE status = 'RUNNING' GROUP BY user_id) AS busy
        USING (user_id)
    ORDER BY coalesce(busy.chunks, 0), waiting.batch_id, waiting.first
    LIMIT 1
)
RETURNING c.*, b.version_id, b.params, b.input_path, b.status AS batch_status, b.traceparent;

-- name: begin_batch^
-- QUEUED → RUNNING with its first chunk.
UPDATE batches SET status = 'RUNNING', rev = rev + 1, started_at = now(), updated_at = now()
WHERE id = :id AND status = 'QUEUED'
RETURNING *;

-- name: renew_chunk$
-- Prolong the lease; no value means that it is lost.
UPDATE chunks SET lease_until = now() + :lease_s * interval '1 second'
WHERE batch_id = :batch_id AND first = :first AND epoch = :epoch AND status = 'RUNNING'
RETURNING first;

-- name: finish_chunk^
-- RUNNING → DONE, by the owner of the epoch only; `inputs` are those that were run.
UPDATE chunks SET status = 'DONE', lease_until = NULL, inputs = :inputs, succeeded = :succeeded, failed = :failed,
    archive = :archive
WHERE batch_id = :batch_id AND first = :first AND epoch = :epoch AND status = 'RUNNING'
RETURNING *;

-- name: give_up_chunk^
-- RUNNING → FAILED: the platform could not run these inputs before their deadline.
UPDATE chunks SET status = 'FAILED', lease_until = NULL, failed = jsonb_array_length(inputs), error_message = :message
WHERE batch_id = :batch_id AND first = :first AND epoch = :epoch AND status = 'RUNNING' AND deadline <= now()
RETURNING *;

-- name: expire_chunk^
-- Past the deadline and nobody at work.
UPDATE chunks SET status = 'FAILED', lease_until = NULL, failed = jsonb_array_length(inputs), error_message = :message
WHERE batch_id = :batch_id AND first = :first AND deadline <= now()
  AND (status = 'QUEUED' OR (status = 'RUNNING' AND lease_until < now()))
RETURNING *;

-- name: overdue_chunks
-- Chunks that `expire_chunk` would move.
SELECT batch_id, first FROM chunks
WHERE deadline <= now() AND (status = 'QUEUED' OR (status = 'RUNNING' AND lease_until < now()))
ORDER BY batch_id, first LIMIT 200;

-- name: count_inputs^
-- More inputs of the batch have their end; with the last one the batch is COMPLETED.
UPDATE batches SET succeeded = succeeded + :succeeded, failed = failed + :failed,
    output_bytes = output_bytes + :output_bytes, rev = rev + 1, updated_at = now(),
    status = CASE WHEN succeeded + failed + :succeeded + :failed >= total THEN 'COMPLETED' ELSE 'RUNNING' END,
    finished_at = CASE WHEN succeeded + failed + :succeeded + :failed >= total THEN now() END
WHERE id = :id AND status IN ('QUEUED', 'RUNNING')
RETURNING *;

-- name: hand_back_chunk$
-- RUNNING → QUEUED: the worker stops, or a part of the platform failed.
UPDATE chunks SET status = 'QUEUED', lease_until = NULL, worker = NULL, ready_at = now() + :delay_s * interval '1 second'
WHERE batch_id = :batch_id AND first = :first AND epoch = :epoch AND status = 'RUNNING' AND deadline > now()
RETURNING first;

-- name: requeue_expired_chunks
-- RUNNING with an expired lease → QUEUED while the deadline allows.
UPDATE chunks SET status = 'QUEUED', lease_until = NULL, worker = NULL
WHERE status = 'RUNNING' AND lease_until < now() AND deadline > now()
RETURNING batch_id, first;

-- name: requeue_worker_chunks
-- What a restarted worker held → QUEUED at once.
UPDATE chunks SET status = 'QUEUED', lease_until = NULL, worker = NULL
WHERE status = 'RUNNING' AND worker = :worker AND deadline > now()
RETURNING batch_id, first;

-- name: chunk_state^
-- Where a chunk stands.
SELECT status, epoch FROM chunks WHERE batch_id = :batch_id AND first = :first;

-- name: cancel_chunks!
-- Open chunks of a batch → CANCELED; the fence stops whoever works on one.
UPDATE chunks SET status = 'CANCELED', lease_until = NULL
WHERE batch_id = :id AND status IN ('QUEUED', 'RUNNING');

-- name: cancel_batch^
-- Any open state → CANCELED.
UPDATE batches SET status = 'CANCELED', rev = rev + 1, finished_at = now(), updated_at = now(), error_code = 'CANCELED',
    error_message = :message
WHERE id = :id AND status IN ('UPLOADING', 'QUEUED', 'RUNNING')
RETURNING *;

-- name: expire_batch_uploads
-- Rows never started.
DELETE FROM batches
WHERE status = 'UPLOADING' AND created_at < now() - :hours * interval '1 hour'
RETURNING id, upload_key;

-- name: find_batch^
-- One of the user's batches, with what it runs on and whether the user may still run that.
SELECT b.*, v.model_id, v.version_number, v.status AS version_status, m.name AS model_name,
    (m.owner_id = :user_id OR m.is_public) AS may_run
FROM batches b
JOIN versions v ON v.id = b.version_id
JOIN models m ON m.id = v.model_id
WHERE b.id = :id AND b.user_id = :user_id;

-- name: list_batches
-- The user's batches, newest first.
SELECT b.*, v.model_id, v.version_number, m.name AS model_name
FROM batches b
JOIN versions v ON v.id = b.version_id
JOIN models m ON m.id = v.model_id
WHERE b.user_id = :user_id AND b.id < :before
  AND (:version_id::uuid IS NULL OR b.version_id = :version_id)
ORDER BY b.id DESC
LIMIT :rows;

-- name: chunks_of
-- Every chunk of a batch, in order, without its inputs.
SELECT first, status, epoch, jsonb_array_length(inputs) AS count, succeeded, failed, archive, error_message
FROM chunks WHERE batch_id = :id ORDER BY first;

-- name: names_of
-- Names of a chunk's inputs, in order.
SELECT input->>0 AS name FROM chunks, jsonb_array_elements(inputs) WITH ORDINALITY AS each (input, place)
WHERE batch_id = :batch_id AND first = :first ORDER BY place;

-- name: batch_of_key^
-- The batch that a key stands for, while the key is fresh.
SELECT id, request_hash FROM batches
WHERE user_id = :user_id AND idempotency_key = :idempotency_key
  AND created_at > now() - :hours * interval '1 hour';

-- name: release_batch_key!
-- A key that has had its day may be used for another batch.
UPDATE batches SET idempotency_key = NULL
WHERE user_id = :user_id AND idempotency_key = :idempotency_key
  AND created_at <= now() - :hours * interval '1 hour';

-- name: version_for_batch^
-- A version of an own or public model, with the time that it may take for one input.
SELECT v.id, v.status, (v.package_info->>'timeout_s')::float8 AS timeout_s
FROM versions v JOIN models m ON m.id = v.model_id
WHERE v.id = :id AND (m.owner_id = :user_id OR m.is_public);
