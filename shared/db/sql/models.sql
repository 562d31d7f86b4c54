-- Models as the gateway reads and writes them. Who may see a row is part of each query.

-- name: create_model^
INSERT INTO models (id, owner_id, name, description, is_public)
VALUES (:id, :owner_id, :name, :description, :is_public)
RETURNING *;

-- name: find_model^
-- A model with its owner's name, if it is the user's own or public.
SELECT m.*, u.username AS owner
FROM models m JOIN users u ON u.id = m.owner_id
WHERE m.id = :id AND (m.owner_id = :user_id OR m.is_public);

-- name: list_models
-- Own and public models, newest first: the newest of two index ranges, which an OR would turn into a scan. The 101 is a
-- constant, since the plan depends on it, and no less than `rows`.
SELECT m.*, u.username AS owner
FROM (
    (SELECT id FROM models WHERE owner_id = :user_id AND id < :before ORDER BY id DESC LIMIT 101)
    UNION
    (SELECT id FROM models WHERE is_public AND id < :before ORDER BY id DESC LIMIT 101)
    ORDER BY id DESC
    LIMIT 101
) AS page
JOIN models m ON m.id = page.id
JOIN users u ON u.id = m.owner_id
ORDER BY page.id DESC
LIMIT :rows;

-- name: change_model^
-- Only what is given changes.
UPDATE models SET
    name = coalesce(:name, name),
    description = coalesce(:description, description),
    is_public = coalesce(:is_public, is_public),
    updated_at = now()
WHERE id = :id AND owner_id = :owner_id
RETURNING *;
