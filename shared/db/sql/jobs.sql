-- Jobs as the gateway reads and writes them: a job is its user's alone. State changes are in transitions.sql.

-- name: create_job^
INSERT INTO jobs (id, version_id, user_id, params, upload_key)
VALUES (:id, :version_id, :user_id, :params, :upload_key)
RETURNING *;

-- name: find_job^
-- One of the user's jobs, with what it runs on and whether the user may still run that.
SELECT j.*, v.model_id, v.version_number, v.status AS version_status, m.name AS model_name,
    (m.owner_id = :user_id OR m.is_public) AS may_run
FROM jobs j
JOIN versions v ON v.id = j.version_id
JOIN models m ON m.id = v.model_id
WHERE j.id = :id AND j.user_id = :user_id;

-- name: list_jobs
-- The user's jobs, newest first, without what is long; a large result stays out.
SELECT j.id, j.version_id, j.user_id, j.status, j.rev, j.deadline, j.timings, j.error_code, j.error_message,
    j.input_size, j.input_type, j.input_sha256, j.queued_at, j.started_at, j.finished_at, j.created_at, j.updated_at,
    jsonb_array_length(j.outputs) AS output_count,
    CASE WHEN octet_length(j.result::text) <= :result_bytes THEN j.result END AS result,
    coalesce(octet_length(j.result::text) > :result_bytes, false) AS result_omitted,
    v.model_id, v.version_number, m.name AS model_name
FROM jobs j
JOIN versions v ON v.id = j.version_id
JOIN models m ON m.id = v.model_id
WHERE j.user_id = :user_id AND j.id < :before
  AND (:statuses::text[] IS NULL OR j.status = ANY (:statuses))
  AND (:version_id::uuid IS NULL OR j.version_id = :version_id)
  AND (:model_id::uuid IS NULL OR v.model_id = :model_id)
  AND (:created_after::timestamptz IS NULL OR j.created_at >= :created_after)
  AND (:created_before::timestamptz IS NULL OR j.created_at < :created_before)
ORDER BY j.id DESC
LIMIT :rows;
