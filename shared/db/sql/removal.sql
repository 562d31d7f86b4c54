-- Removing users, models, versions and jobs wholly, and finding what no row refers to (shared/removal).

-- name: lock_user^
-- The account, held until the transaction ends: nobody can hang new rows on it meanwhile.
SELECT id, username, role, disabled_at FROM users WHERE id = :id FOR UPDATE;

-- name: lock_operators
-- Every operator who can sign in; locking them all keeps two removals from taking the last two.
SELECT id FROM users WHERE role = 'admin' AND disabled_at IS NULL ORDER BY id FOR UPDATE;

-- name: lock_models
-- Models by id or by owner, held like the account.
SELECT id, owner_id FROM models WHERE id = :model OR owner_id = :user ORDER BY id FOR UPDATE;

-- name: lock_versions
-- Versions by id or by model, held like the account: a job cannot be added to a version that goes.
SELECT id, owner_id, status FROM versions WHERE id = :version OR model_id = ANY (:models) ORDER BY id FOR UPDATE;

-- name: open_work
-- What is under way below a user, a model, a version, or is this job or batch.
SELECT 'version' AS noun, id FROM versions
WHERE (id = :version OR model_id = :model OR owner_id = :user) AND status IN ('UPLOADING', 'QUEUED', 'BUILDING')
UNION ALL
SELECT 'job', id FROM jobs
WHERE (id = :job OR version_id = :version OR model_id = :model OR user_id = :user
        OR model_id IN (SELECT id FROM models WHERE owner_id = :user))
    AND status IN ('UPLOADING', 'QUEUED', 'RUNNING')
UNION ALL
SELECT 'batch', b.id FROM batches b
WHERE (b.id = :batch OR b.version_id = :version OR b.user_id = :user OR EXISTS (
        SELECT FROM versions v WHERE v.id = b.version_id AND (v.model_id = :model OR v.owner_id = :user)))
    AND b.status IN ('UPLOADING', 'QUEUED', 'RUNNING');

-- name: delete_batches
-- Batches by id, user or version, with their chunks.
DELETE FROM batches WHERE id = :batch OR user_id = :user OR version_id = ANY (:versions)
RETURNING id, user_id, upload_key;

-- name: delete_jobs
-- Jobs by id, user or version, with what is needed to remove their objects.
DELETE FROM jobs WHERE id = :job OR user_id = :user OR version_id = ANY (:versions)
RETURNING id, user_id, upload_key, upload_size, input_path, input_size;

-- name: delete_versions
-- Versions by id, with what is needed to remove their objects and images.
DELETE FROM versions WHERE id = ANY (:versions)
RETURNING id, model_id, owner_id, epoch, upload_key, upload_id, upload_size, package_path, package_sha256,
    package_size, docker_image, docker_image_digest;

-- name: delete_models!
-- Models by id.
DELETE FROM models WHERE id = ANY (:models);

-- name: delete_user!
-- The account; sessions, refresh tokens and tickets go with it.
DELETE FROM users WHERE id = :id;

-- name: delete_outbox!
-- Published events of objects that are gone: they hold results and messages. Unpublished ones still have to leave.
DELETE FROM outbox WHERE object_id = ANY (:ids) AND published_at IS NOT NULL;

-- name: delete_dead_letters_of!
-- Dead letters of objects that are gone.
DELETE FROM dead_letters WHERE object_id = ANY (:ids);

-- name: paths_in_use
-- Which of these content-addressed keys a row refers to; each key is asked for by itself, and one row is enough.
SELECT given.path FROM unnest(:paths::text[]) AS given (path)
WHERE EXISTS (SELECT FROM versions WHERE package_path = given.path)
   OR EXISTS (SELECT FROM jobs WHERE input_path = given.path);

-- name: hold_paths!
-- Keep predictions from referring to these keys until the transaction ends (predict.sql); in order, so that two
-- removals do not wait for each other.
SELECT pg_advisory_xact_lock(hashtextextended(path, 0))
FROM (SELECT path FROM unnest(:paths::text[]) AS given (path) ORDER BY hashtextextended(path, 0)) AS ordered;

-- name: sizes_under_way
-- Sizes of uploads that a worker may be copying to their content-addressed key at this moment.
SELECT upload_size AS size FROM versions WHERE status = 'BUILDING' AND package_path IS NULL AND upload_size = ANY (:sizes)
UNION
SELECT upload_size FROM jobs WHERE status = 'RUNNING' AND input_path IS NULL AND upload_size = ANY (:sizes);

-- name: digests_in_use
-- Digests that a version which can run refers to, each with the name it has there.
SELECT DISTINCT docker_image_digest AS digest, docker_image FROM versions
WHERE status = 'READY' AND docker_image_digest = ANY (:digests);

-- name: versions_by_id
-- Where these versions stand.
SELECT id, status, epoch FROM versions WHERE id = ANY (:ids);

-- name: live_workers
-- Those of these workers that have been heard of within two minutes.
SELECT id FROM workers WHERE id = ANY (:ids) AND heartbeat_at > now() - interval '2 minutes';

-- name: jobs_by_id
-- Where these jobs stand.
SELECT id, status, epoch FROM jobs WHERE id = ANY (:ids);

-- name: uploads_in_use
-- Which of these quarantine keys an object that has not ended refers to.
SELECT upload_key FROM versions
WHERE upload_key = ANY (:keys) AND status IN ('UPLOADING', 'QUEUED', 'BUILDING')
UNION
SELECT upload_key FROM jobs WHERE upload_key = ANY (:keys) AND status IN ('UPLOADING', 'QUEUED', 'RUNNING')
UNION
SELECT upload_key FROM batches WHERE upload_key = ANY (:keys) AND status IN ('UPLOADING', 'QUEUED', 'RUNNING');

-- name: batch_objects_in_use
-- Which of these keys below batches/ a row refers to, or a runner at work may be about to.
SELECT input_path AS key FROM batches WHERE input_path = ANY (:keys)
UNION
SELECT archive->>'key' FROM chunks WHERE batch_id = ANY (:batches) AND archive IS NOT NULL
UNION
SELECT 'batches/' || batch_id || '/' || first || '/' || epoch || '.zip' FROM chunks
WHERE batch_id = ANY (:batches) AND status = 'RUNNING';

-- name: building$
-- Whether any build is under way.
SELECT EXISTS (SELECT 1 FROM versions WHERE status = 'BUILDING');

-- name: stale_versions
-- Versions that were never uploaded, and, when asked for, those that failed or were canceled long ago.
SELECT id, owner_id, version_number, status, coalesce(package_size, 0) + coalesce(image_bytes, 0) AS bytes,
    extract(epoch FROM now() - updated_at)::float8 AS age_s
FROM versions
WHERE (status = 'UPLOADING' AND created_at < now() - :upload_hours * interval '1 hour')
   OR (status IN ('FAILED', 'CANCELED') AND updated_at < now() - :failed_days::float8 * interval '1 day')
ORDER BY id;

-- name: stale_dead_letters
-- Dead letters of objects that are gone or have ended.
SELECT d.id, d.subject, d.kind, extract(epoch FROM now() - d.created_at)::float8 AS age_s FROM dead_letters d
WHERE d.object_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM versions v WHERE v.id = d.object_id AND v.status IN ('QUEUED', 'BUILDING'))
  AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = d.object_id AND j.status IN ('QUEUED', 'RUNNING'))
ORDER BY d.id;

-- name: delete_dead_letters!
-- Dismiss dead letters.
DELETE FROM dead_letters WHERE id = ANY (:ids);

-- name: stuck_outbox^
-- Events that should have left long ago: the bus is away, or no service runs the relay.
SELECT count(*) AS events, extract(epoch FROM now() - min(publish_after))::float8 AS oldest_s FROM outbox
WHERE published_at IS NULL AND publish_after < now() - interval '60 seconds';

-- name: ready_images
-- Image and package of every version that can run.
SELECT id, docker_image, docker_image_digest, package_path FROM versions WHERE status = 'READY';

-- name: weigh^
-- What a removal would take, from the rows: counts, and bytes before anything that is shared is left.
WITH v AS (
    SELECT * FROM versions WHERE id = :version OR model_id = :model OR owner_id = :user
), j AS (
    SELECT * FROM jobs WHERE id IN (
        SELECT id FROM jobs WHERE id = :job OR user_id = :user
        UNION
        SELECT jobs.id FROM v JOIN jobs ON jobs.version_id = v.id
    )
), b AS (
    SELECT * FROM batches WHERE user_id = :user OR version_id IN (SELECT id FROM v)
)
SELECT (SELECT count(*) FROM models WHERE id = :model OR owner_id = :user) AS models,
    (SELECT count(*) FROM v) AS versions,
    (SELECT count(*) FROM j) AS jobs,
    (SELECT count(*) FROM j WHERE user_id IS DISTINCT FROM coalesce(:user, (SELECT owner_id FROM v LIMIT 1), user_id))
        AS jobs_of_others,
    (SELECT coalesce(sum(coalesce(package_size, upload_size, 0)), 0)::bigint FROM v) AS package_bytes,
    (SELECT coalesce(sum(image_bytes), 0)::bigint FROM v) AS image_bytes,
    (SELECT coalesce(sum(coalesce(input_size, upload_size, 0)), 0)::bigint FROM j)
        + (SELECT coalesce(sum(input_size), 0)::bigint FROM b) AS input_bytes,
    (SELECT coalesce(sum((output->>'size')::bigint), 0)::bigint FROM j, jsonb_array_elements(j.outputs) AS output)
        + (SELECT coalesce(sum(output_bytes), 0)::bigint FROM b) AS output_bytes;
