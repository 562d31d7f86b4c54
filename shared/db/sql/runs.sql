-- name: version_to_run^
-- What a runner needs of a version.
SELECT id, owner_id, status, docker_image, docker_image_digest, package_info FROM versions WHERE id = :id;
