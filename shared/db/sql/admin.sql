-- What operators look at and change (services/api/admin).

-- name: page_users
-- Accounts, newest first, with what they have.
SELECT u.id, u.username, u.email, u.role, u.disabled_at, u.created_at,
    (SELECT count(*) FROM models m WHERE m.owner_id = u.id) AS models,
    (SELECT count(*) FROM versions v WHERE v.owner_id = u.id) AS versions,
    (SELECT count(*) FROM jobs j WHERE j.user_id = u.id) AS jobs
FROM users u WHERE u.id < :before ORDER BY u.id DESC LIMIT :limit;

-- name: lock_operators
-- Every operator who can sign in, held until the transaction ends.
SELECT id FROM users WHERE role = 'admin' AND disabled_at IS NULL ORDER BY id FOR UPDATE;

-- name: change_user^
-- Role and whether the account may sign in; null leaves as it is.
UPDATE users SET role = coalesce(:role, role),
    disabled_at = CASE WHEN :disabled::boolean IS NULL THEN disabled_at
        WHEN :disabled THEN coalesce(disabled_at, now()) END
WHERE id = :id
RETURNING id, username, email, role, disabled_at, created_at,
    (SELECT count(*) FROM models m WHERE m.owner_id = users.id) AS models,
    (SELECT count(*) FROM versions v WHERE v.owner_id = users.id) AS versions,
    (SELECT count(*) FROM jobs j WHERE j.user_id = users.id) AS jobs;

-- name: end_sessions!
-- Sign an account out everywhere.
UPDATE sessions SET revoked_at = now() WHERE user_id = :id AND revoked_at IS NULL;

-- name: end_tickets!
-- No WebSocket opens with a ticket given out before.
DELETE FROM live_tickets WHERE user_id = :id;

-- name: count_operators$
-- Operators, whether they can sign in or not.
SELECT count(*) FROM users WHERE role = 'admin';

-- name: page_models
-- Models, newest first.
SELECT m.id, m.name, u.username AS owner, m.is_public, m.created_at,
    (SELECT count(*) FROM versions v WHERE v.model_id = m.id) AS versions
FROM models m JOIN users u ON u.id = m.owner_id WHERE m.id < :before ORDER BY m.id DESC LIMIT :limit;

-- name: page_versions
-- Versions, newest first.
SELECT v.id, m.name AS model, v.version_number, u.username AS owner, v.status, v.error_code, v.worker,
    v.package_size AS package_bytes, v.image_bytes, v.created_at
FROM versions v JOIN models m ON m.id = v.model_id JOIN users u ON u.id = v.owner_id
WHERE v.id < :before ORDER BY v.id DESC LIMIT :limit;

-- name: page_jobs
-- Jobs, newest first.
SELECT j.id, m.name AS model, v.version_number, u.username AS user, j.status, j.error_code, j.worker,
    (j.timings->>'total')::float8 AS total_ms, j.created_at
FROM jobs j JOIN versions v ON v.id = j.version_id JOIN models m ON m.id = v.model_id JOIN users u ON u.id = j.user_id
WHERE j.id < :before ORDER BY j.id DESC LIMIT :limit;

-- name: queue
-- What has not ended, by noun and state.
SELECT 'version' AS noun, status, count(*) AS count, min(created_at) AS oldest_at,
    extract(epoch FROM now() - min(created_at))::float8 AS oldest_s
FROM versions WHERE status IN ('UPLOADING', 'QUEUED', 'BUILDING') GROUP BY status
UNION ALL
SELECT 'job', status, count(*), min(created_at), extract(epoch FROM now() - min(created_at))::float8
FROM jobs WHERE status IN ('UPLOADING', 'QUEUED', 'RUNNING') GROUP BY status
UNION ALL
SELECT 'batch', status, count(*), min(created_at), extract(epoch FROM now() - min(created_at))::float8
FROM batches WHERE status IN ('UPLOADING', 'QUEUED', 'RUNNING') GROUP BY status
ORDER BY noun DESC, status;

-- name: unpublished^
-- Events that have not left for the bus.
SELECT count(*) AS events, extract(epoch FROM now() - min(publish_after))::float8 AS oldest_s
FROM outbox WHERE published_at IS NULL;

-- name: page_dead_letters
-- Dead letters, newest first, with the state of their object now.
SELECT d.id, d.kind, d.subject, d.consumer, d.deliveries, d.reason, d.object_id,
    coalesce(v.status, j.status) AS status, d.created_at, d.redriven_at
FROM dead_letters d LEFT JOIN versions v ON v.id = d.object_id LEFT JOIN jobs j ON j.id = d.object_id
WHERE d.id < :before ORDER BY d.id DESC LIMIT :limit;

-- name: dead_letter^
-- One dead letter with the state of its object now.
SELECT d.id, d.object_id, d.subject, coalesce(v.status, j.status) AS status
FROM dead_letters d LEFT JOIN versions v ON v.id = d.object_id LEFT JOIN jobs j ON j.id = d.object_id
WHERE d.id = :id;

-- name: redriven!
-- Its object's last event goes out again.
UPDATE dead_letters SET redriven_at = now() WHERE id = :id;

-- name: dismiss$
-- Forget a dead letter.
DELETE FROM dead_letters WHERE id = :id RETURNING id;

-- name: disk
-- Bytes by model, as the rows know them; what versions share counts once in each model.
SELECT m.id, m.name, u.username AS owner,
    (SELECT count(*) FROM versions v WHERE v.model_id = m.id) AS versions,
    (SELECT count(*) FROM jobs j JOIN versions v ON v.id = j.version_id WHERE v.model_id = m.id) AS jobs,
    (SELECT coalesce(sum(p.size), 0)::bigint FROM (
        SELECT max(package_size) AS size FROM versions v WHERE v.model_id = m.id GROUP BY package_path) AS p)
        AS package_bytes,
    (SELECT coalesce(sum(i.size), 0)::bigint FROM (
        SELECT max(image_bytes) AS size FROM versions v WHERE v.model_id = m.id GROUP BY docker_image_digest) AS i)
        AS image_bytes,
    (SELECT coalesce(sum(i.size), 0)::bigint FROM (
        SELECT max(input_size) AS size FROM jobs j JOIN versions v ON v.id = j.version_id
        WHERE v.model_id = m.id GROUP BY input_path) AS i) AS input_bytes,
    (SELECT coalesce(sum((output->>'size')::bigint), 0)::bigint
        FROM jobs j JOIN versions v ON v.id = j.version_id, jsonb_array_elements(j.outputs) AS output
        WHERE v.model_id = m.id) AS output_bytes
FROM models m JOIN users u ON u.id = m.owner_id;

-- name: models_of_logs
-- Which model the objects with these ids belong to.
SELECT id, model_id FROM versions WHERE id = ANY (:ids)
UNION ALL
SELECT j.id, v.model_id FROM jobs j JOIN versions v ON v.id = j.version_id WHERE j.id = ANY (:ids);
