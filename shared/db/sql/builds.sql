-- What the builder looks up.

-- name: find_built^
-- A READY version from the same package, made by the same recipe: the owner's own, else anybody's of which nothing was
-- built from source (what a build script did once, it did for its owner).
SELECT docker_image, docker_image_digest, image_bytes, lock, owner_id = :owner_id AS own,
    package_info->>'dependency_image' AS dependency_image, package_info->'sandbox' AS sandbox,
    coalesce((package_info->>'wheels_only')::bool, false) AS wheels_only
FROM versions
WHERE package_sha256 = :package_sha256 AND status = 'READY' AND package_info->>'build_recipe' = :recipe
  AND (owner_id = :owner_id OR (package_info->>'wheels_only')::bool)
ORDER BY owner_id = :owner_id DESC, finished_at DESC
LIMIT 1;

-- name: images_in_use
-- Those of the given image references that a READY version uses.
SELECT DISTINCT docker_image FROM versions WHERE status = 'READY' AND docker_image = ANY (:references);

-- name: dependency_use
-- When a build last ended that used one of the given dependency images, and whether a READY version stands on it.
SELECT package_info->>'dependency_image' AS reference, bool_or(status = 'READY') AS used, max(updated_at) AS last_built
FROM versions
WHERE package_info->>'dependency_image' = ANY (:references)
GROUP BY 1;
