-- Jobs as the gateway reads and writes them: a job is its user's alone. State changes are in transitions.sql.

-- name: create_job^
INSERT INTO jobs (id, version_id, user_id, params, upload_key)
VALUES (:id, :version_id, :user_id, :params, :upload_key)
RETURNING *;

-- name: find_job^
-- One of the user's jobs, with what it runs on and whether the user may still run that.
SELECT j.*, v.version_number, v.status AS version_status, m.name AS model_name,
    (m.owner_id = :user_id OR m.is_public) AS may_run
FROM jobs j
JOIN versions v ON v.id = j.version_id
JOIN models m ON m.id = v.model_id
WHERE j.id = :id AND j.user_id = :user_id;

-- name: list_jobs
-- The user's jobs, newest first, without what is long; a large result stays out. For each state the newest are one range
-- of an index, within the version, the model or all that the user has; of those the newest are joined. Every bound is one
-- of that range, so that an old page is as near as the first. The 101 is a constant, since the plan depends on it, and no
-- less than `rows`.
SELECT j.id, j.version_id, j.user_id, j.status, j.rev, j.deadline, j.timings, j.error_code, j.error_message,
    j.input_size, j.input_type, j.input_sha256, j.queued_at, j.started_at, j.finished_at, j.created_at, j.updated_at,
    jsonb_array_length(j.outputs) AS output_count,
    CASE WHEN octet_length(j.result::text) <= :result_bytes THEN j.result END AS result,
    coalesce(octet_length(j.result::text) > :result_bytes, false) AS result_omitted,
    j.model_id, v.version_number, m.name AS model_name
FROM (
    SELECT found.created_at, found.id
    FROM unnest(:statuses::text[]) AS wanted (status)
    CROSS JOIN LATERAL (
        (SELECT o.created_at, o.id FROM jobs o
        WHERE :version_id::uuid IS NOT NULL AND o.version_id = :version_id
            AND o.user_id = :user_id AND o.status = wanted.status AND (o.created_at, o.id) < (:before_at, :before)
            AND o.created_at >= :created_after
            AND (:model_id::uuid IS NULL OR EXISTS (SELECT FROM versions WHERE id = :version_id AND model_id = :model_id))
        ORDER BY o.created_at DESC, o.id DESC LIMIT :rows)
        UNION ALL
        (SELECT o.created_at, o.id FROM jobs o
        WHERE :version_id::uuid IS NULL AND :model_id::uuid IS NOT NULL AND o.model_id = :model_id
            AND o.user_id = :user_id AND o.status = wanted.status AND (o.created_at, o.id) < (:before_at, :before)
            AND o.created_at >= :created_after
        ORDER BY o.created_at DESC, o.id DESC LIMIT :rows)
        UNION ALL
        (SELECT o.created_at, o.id FROM jobs o
        WHERE :version_id::uuid IS NULL AND :model_id::uuid IS NULL
            AND o.user_id = :user_id AND o.status = wanted.status AND (o.created_at, o.id) < (:before_at, :before)
            AND o.created_at >= :created_after
        ORDER BY o.created_at DESC, o.id DESC LIMIT :rows)
    ) AS found
    ORDER BY found.created_at DESC, found.id DESC
    LIMIT 101
) AS page
JOIN jobs j ON j.id = page.id
JOIN versions v ON v.id = j.version_id
JOIN models m ON m.id = v.model_id
ORDER BY page.created_at DESC, page.id DESC
LIMIT :rows;
