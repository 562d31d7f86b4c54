-- Versions as the gateway reads and writes them. Who may see a row is part of each query; state changes are in
-- transitions.sql.

-- name: create_version^
INSERT INTO versions (id, model_id, owner_id, version_number, upload_key)
VALUES (:id, :model_id, :owner_id, :version_number, :upload_key)
RETURNING *;

-- name: find_version^
-- A version, if its model is the user's own or public.
SELECT v.*, m.name AS model_name, m.is_public
FROM versions v JOIN models m ON m.id = v.model_id
WHERE v.id = :id AND (v.owner_id = :user_id OR m.is_public);

-- name: list_versions
-- Versions of one model, newest first, without what is long (log, lock, readme).
SELECT id, model_id, owner_id, version_number, status, rev, deadline, package_sha256, package_size,
    package_info - 'readme' AS package_info, docker_image, docker_image_digest, image_bytes, phases,
    error_code, error_message, queued_at, started_at, finished_at, created_at, updated_at
FROM versions
WHERE model_id = :model_id AND id < :before
ORDER BY id DESC
LIMIT :rows;

-- name: begin_parts$
-- Keep the id of the multipart upload that was first; the caller drops its own when another is returned.
UPDATE versions SET upload_id = coalesce(upload_id, :upload_id), upload_size = coalesce(:size, upload_size)
WHERE id = :id AND status = 'UPLOADING'
RETURNING upload_id;

-- name: forget_parts!
-- The multipart upload is joined, or storage has let it expire.
UPDATE versions SET upload_id = NULL WHERE id = :id AND upload_id = :upload_id;
