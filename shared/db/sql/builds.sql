-- What the builder looks up.

-- name: find_built^
-- A READY version of the same owner from the same package, made by the same recipe.
SELECT id, docker_image, docker_image_digest, image_bytes, lock
FROM versions
WHERE owner_id = :owner_id AND package_sha256 = :package_sha256 AND status = 'READY'
  AND package_info->>'build_recipe' = :recipe
ORDER BY finished_at DESC
LIMIT 1;

-- name: images_in_use
-- Those of the given image references that a READY version uses, or whose build may still be under way.
SELECT docker_image FROM versions WHERE status = 'READY' AND docker_image = ANY (:references);
