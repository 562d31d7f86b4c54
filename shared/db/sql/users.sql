-- Accounts, signed-in devices and their tokens.

-- name: add_user^
-- A new account; no row when the name or the address is taken.
INSERT INTO users (id, username, email, hashed_password, role)
VALUES (:id, :username, :email, :hashed_password, :role)
ON CONFLICT DO NOTHING
RETURNING id, username, email, role, created_at;

-- name: taken^
-- Which of name and address another account has.
SELECT EXISTS (SELECT FROM users WHERE lower(username) = lower(:username)) AS username,
       EXISTS (SELECT FROM users WHERE lower(email) = lower(:email)) AS email;

-- name: find_by_name^
-- The account that signs in with this name.
SELECT id, username, email, role, hashed_password, disabled_at, created_at
FROM users WHERE lower(username) = lower(:username);

-- name: get_user^
-- An account by id.
SELECT id, username, email, role, hashed_password, disabled_at, created_at FROM users WHERE id = :id;

-- name: accounts_now
-- For each pair of account and session, by its place: the role as it is now, and whether both still stand.
SELECT asked.place, u.username, u.role, u.disabled_at IS NULL AND s.id IS NOT NULL AS live
FROM unnest(:user_ids::uuid[], :session_ids::uuid[]) WITH ORDINALITY AS asked (user_id, session_id, place)
JOIN users AS u ON u.id = asked.user_id
LEFT JOIN sessions AS s
    ON s.id = asked.session_id AND s.user_id = u.id AND s.revoked_at IS NULL AND s.expires_at > now();

-- name: set_password!
-- A new password hash.
UPDATE users SET hashed_password = :hashed_password WHERE id = :id;

-- name: add_session!
-- A device has signed in.
INSERT INTO sessions (id, user_id, user_agent, address, expires_at)
VALUES (:id, :user_id, :user_agent, :address, now() + :refresh_s * interval '1 second');

-- name: add_refresh_token!
-- The session's next refresh token; only its hash is kept.
INSERT INTO refresh_tokens (token_hash, session_id) VALUES (:token_hash, :session_id);

-- name: lock_session_of_token^
-- The session and account of a refresh token; two uses at once come one after the other.
SELECT s.id AS session_id, s.revoked_at IS NULL AND s.expires_at > now() AND u.disabled_at IS NULL AS live,
       u.id AS user_id, u.username, u.role
FROM sessions AS s
JOIN users AS u ON u.id = s.user_id
WHERE s.id = (SELECT session_id FROM refresh_tokens WHERE token_hash = :token_hash)
FOR UPDATE OF s;

-- name: token_use^
-- Whether a refresh token was used, and whether that was so recently that a lost answer explains a second use.
SELECT used_at IS NOT NULL AS used,
       coalesce(used_at > clock_timestamp() - :grace_s * interval '1 second', false) AS just_now
FROM refresh_tokens WHERE token_hash = :token_hash;

-- name: use_refresh_tokens!
-- Whatever tokens the session had are used up from now on.
UPDATE refresh_tokens SET used_at = clock_timestamp() WHERE session_id = :session_id AND used_at IS NULL;

-- name: touch_session!
-- The session was used; it lives on for that long.
UPDATE sessions
SET last_used_at = now(), address = :address, expires_at = now() + :refresh_s * interval '1 second'
WHERE id = :session_id;

-- name: revoke_session^
-- End one session of a user; no row when there is no such session alive.
UPDATE sessions SET revoked_at = now()
WHERE id = :session_id AND user_id = :user_id AND revoked_at IS NULL
RETURNING id;

-- name: revoke_session_of_token^
-- End the session a refresh token belongs to.
UPDATE sessions SET revoked_at = now()
WHERE id = (SELECT session_id FROM refresh_tokens WHERE token_hash = :token_hash) AND revoked_at IS NULL
RETURNING id;

-- name: revoke_other_sessions
-- End every session of a user but `keep`; all of them when that is null.
UPDATE sessions SET revoked_at = now()
WHERE user_id = :user_id AND revoked_at IS NULL AND id IS DISTINCT FROM :keep
RETURNING id;

-- name: list_sessions
-- The devices a user is signed in on, last used first.
SELECT id, user_agent, address, created_at, last_used_at, expires_at
FROM sessions
WHERE user_id = :user_id AND revoked_at IS NULL AND expires_at > now()
ORDER BY last_used_at DESC, id DESC;

-- name: forget_sessions!
-- Sessions that ended long enough ago for every access token of theirs to have expired.
DELETE FROM sessions
WHERE user_id = :user_id AND least(revoked_at, expires_at) < now() - interval '1 day';

-- name: forget_tokens!
-- Used tokens so old that nobody can hold a copy worth catching: their session has moved on for good.
DELETE FROM refresh_tokens
WHERE session_id = :session_id AND used_at < now() - :keep_s * interval '1 second';

-- name: add_ticket!
-- A WebSocket ticket; expired ones of the same user go.
WITH expired AS (
    DELETE FROM live_tickets WHERE user_id = :user_id AND expires_at < now()
)
INSERT INTO live_tickets (ticket_hash, user_id, expires_at)
VALUES (:ticket_hash, :user_id, now() + :ttl_s * interval '1 second');

-- name: usage^
-- What the versions of a user take. What several share counts once; an upload that waits for its build counts as sent.
SELECT
    (SELECT count(*) FROM versions WHERE owner_id = :user_id) AS versions,
    (SELECT coalesce(sum(package.size), 0)::bigint FROM (
        SELECT max(coalesce(package_size, upload_size)) AS size FROM versions
        WHERE owner_id = :user_id AND (package_path IS NOT NULL OR status IN ('QUEUED', 'BUILDING'))
        GROUP BY coalesce(package_path, upload_key)) AS package) AS package_bytes,
    (SELECT coalesce(sum(image.size), 0)::bigint FROM (
        SELECT max(image_bytes) AS size FROM versions
        WHERE owner_id = :user_id GROUP BY docker_image_digest) AS image) AS image_bytes;
