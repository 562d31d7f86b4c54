-- What the builder looks up.

-- name: find_built^
-- A READY version of the same owner from the same package, made by the same recipe.
SELECT id, docker_image, docker_image_digest, image_bytes, lock,
    package_info->>'dependency_image' AS dependency_image, package_info->'sandbox' AS sandbox
FROM versions
WHERE owner_id = :owner_id AND package_sha256 = :package_sha256 AND status = 'READY'
  AND package_info->>'build_recipe' = :recipe
ORDER BY finished_at DESC
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
