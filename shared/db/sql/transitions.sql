-- Guarded state changes. Each moves one row, adds one to rev, and returns the row or nothing: nothing means that
-- somebody else was first. Callers write the event in the same transaction (shared/transitions.py).

-- name: queue_version^
-- UPLOADING → QUEUED, with what HEAD said of the upload.
UPDATE versions SET status = 'QUEUED', rev = rev + 1, upload_size = :upload_size, upload_etag = :upload_etag,
    queued_at = now(), deadline = now() + :deadline_s * interval '1 second', updated_at = now()
WHERE id = :id AND status = 'UPLOADING'
RETURNING *;

-- name: claim_version^
-- QUEUED → BUILDING under a new epoch and a lease.
UPDATE versions SET status = 'BUILDING', rev = rev + 1, epoch = epoch + 1, worker = :worker, phases = '[]',
    build_logs = '', lease_until = now() + :lease_s * interval '1 second', started_at = now(), updated_at = now()
WHERE id = :id AND status = 'QUEUED'
RETURNING *;

-- name: renew_version$
-- Prolong the lease; no value means that it is lost.
UPDATE versions SET lease_until = now() + :lease_s * interval '1 second'
WHERE id = :id AND epoch = :epoch AND status = 'BUILDING'
RETURNING id;

-- name: note_version$
-- Progress of a build under its lease: log tail and phases. Makes no event.
UPDATE versions SET build_logs = :build_logs, phases = :phases, updated_at = now()
WHERE id = :id AND epoch = :epoch AND status = 'BUILDING'
RETURNING id;

-- name: note_package$
-- What the package is, once hashed and copied where no client writes.
UPDATE versions SET package_path = :package_path, package_sha256 = :package_sha256, package_size = :package_size,
    package_info = :package_info, updated_at = now()
WHERE id = :id AND epoch = :epoch AND status = 'BUILDING'
RETURNING id;

-- name: finish_version^
-- BUILDING → READY | FAILED, by the owner of the epoch only.
UPDATE versions SET status = :status, rev = rev + 1, lease_until = NULL, finished_at = now(), updated_at = now(),
    lock = coalesce(:lock, lock), docker_image = :docker_image, docker_image_digest = :docker_image_digest,
    image_bytes = :image_bytes, phases = :phases, build_logs = :build_logs, log_path = :log_path,
    error_code = :error_code, error_message = :error_message
WHERE id = :id AND epoch = :epoch AND status = 'BUILDING'
RETURNING *;

-- name: hand_back_version^
-- BUILDING → QUEUED: the worker stops, or a part of the platform failed.
UPDATE versions SET status = 'QUEUED', rev = rev + 1, lease_until = NULL, worker = NULL, updated_at = now()
WHERE id = :id AND epoch = :epoch AND status = 'BUILDING' AND deadline > now()
RETURNING *;

-- name: cancel_version^
-- Any open state → CANCELED; the fence stops whoever works on it. The builder stores the log of what it had begun
-- under this key (services/builder/build.py) a moment later.
UPDATE versions SET status = 'CANCELED', rev = rev + 1, lease_until = NULL, finished_at = now(), updated_at = now(),
    error_code = 'CANCELED', error_message = :message,
    log_path = CASE WHEN epoch > 0 THEN 'logs/versions/' || id || '/' || epoch || '.log' END
WHERE id = :id AND status IN ('UPLOADING', 'QUEUED', 'BUILDING')
RETURNING *;

-- name: requeue_expired_versions
-- BUILDING with an expired lease → QUEUED while the deadline allows.
UPDATE versions SET status = 'QUEUED', rev = rev + 1, lease_until = NULL, worker = NULL, updated_at = now()
WHERE status = 'BUILDING' AND lease_until < now() AND deadline > now()
RETURNING *;

-- name: requeue_worker_versions
-- What a restarted worker held → QUEUED at once.
UPDATE versions SET status = 'QUEUED', rev = rev + 1, lease_until = NULL, worker = NULL, updated_at = now()
WHERE status = 'BUILDING' AND worker = :worker AND deadline > now()
RETURNING *;

-- name: expire_versions
-- Past the deadline and nobody at work: the platform failed the user.
UPDATE versions SET status = 'FAILED', rev = rev + 1, lease_until = NULL, finished_at = now(), updated_at = now(),
    error_code = 'PLATFORM_ERROR', error_message = :message
WHERE deadline < now() AND (status = 'QUEUED' OR (status = 'BUILDING' AND lease_until < now()))
RETURNING *;

-- name: expire_version_uploads
-- Rows never uploaded.
DELETE FROM versions
WHERE status = 'UPLOADING' AND created_at < now() - :hours * interval '1 hour'
RETURNING id, upload_key, upload_id;

-- name: queue_job^
-- UPLOADING → QUEUED, with what HEAD said of the upload.
UPDATE jobs SET status = 'QUEUED', rev = rev + 1, upload_size = :upload_size, upload_etag = :upload_etag,
    queued_at = now(), deadline = now() + :deadline_s * interval '1 second', updated_at = now()
WHERE id = :id AND status = 'UPLOADING'
RETURNING *;

-- name: claim_job^
-- QUEUED → RUNNING under a new epoch and a lease.
UPDATE jobs SET status = 'RUNNING', rev = rev + 1, epoch = epoch + 1, worker = :worker,
    lease_until = now() + :lease_s * interval '1 second', started_at = now(), updated_at = now()
WHERE id = :id AND status = 'QUEUED'
RETURNING *;

-- name: renew_job$
-- Prolong the lease; no value means that it is lost.
UPDATE jobs SET lease_until = now() + :lease_s * interval '1 second'
WHERE id = :id AND epoch = :epoch AND status = 'RUNNING'
RETURNING id;

-- name: finish_job^
-- RUNNING → SUCCEEDED | FAILED, by the owner of the epoch only.
UPDATE jobs SET status = :status, rev = rev + 1, lease_until = NULL, finished_at = now(), updated_at = now(),
    input_path = coalesce(:input_path, input_path), input_sha256 = coalesce(:input_sha256, input_sha256),
    input_size = coalesce(:input_size, input_size), input_type = coalesce(:input_type, input_type),
    output_paths = :output_paths, outputs = :outputs, result = :result, timings = :timings, log_path = :log_path,
    error_code = :error_code, error_message = :error_message
WHERE id = :id AND epoch = :epoch AND status = 'RUNNING'
RETURNING *;

-- name: hand_back_job^
-- RUNNING → QUEUED: the worker stops, or a part of the platform failed.
UPDATE jobs SET status = 'QUEUED', rev = rev + 1, lease_until = NULL, worker = NULL, updated_at = now()
WHERE id = :id AND epoch = :epoch AND status = 'RUNNING' AND deadline > now()
RETURNING *;

-- name: cancel_job^
-- Any open state → CANCELED; the fence stops whoever works on it.
UPDATE jobs SET status = 'CANCELED', rev = rev + 1, lease_until = NULL, finished_at = now(), updated_at = now(),
    error_code = 'CANCELED', error_message = :message
WHERE id = :id AND status IN ('UPLOADING', 'QUEUED', 'RUNNING')
RETURNING *;

-- name: requeue_expired_jobs
-- RUNNING with an expired lease → QUEUED while the deadline allows.
UPDATE jobs SET status = 'QUEUED', rev = rev + 1, lease_until = NULL, worker = NULL, updated_at = now()
WHERE status = 'RUNNING' AND lease_until < now() AND deadline > now()
RETURNING *;

-- name: requeue_worker_jobs
-- What a restarted worker held → QUEUED at once.
UPDATE jobs SET status = 'QUEUED', rev = rev + 1, lease_until = NULL, worker = NULL, updated_at = now()
WHERE status = 'RUNNING' AND worker = :worker AND deadline > now()
RETURNING *;

-- name: expire_jobs
-- Past the deadline and nobody at work: the platform failed the user.
UPDATE jobs SET status = 'FAILED', rev = rev + 1, lease_until = NULL, finished_at = now(), updated_at = now(),
    error_code = 'PLATFORM_ERROR', error_message = :message
WHERE deadline < now() AND (status = 'QUEUED' OR (status = 'RUNNING' AND lease_until < now()))
RETURNING *;

-- name: expire_job_uploads
-- Rows never uploaded.
DELETE FROM jobs
WHERE status = 'UPLOADING' AND created_at < now() - :hours * interval '1 hour'
RETURNING id, upload_key;

-- name: version_state^
-- Where a version stands.
SELECT status, epoch FROM versions WHERE id = :id;

-- name: job_state^
-- Where a job stands.
SELECT status, epoch FROM jobs WHERE id = :id;
