-- What the notifier asks the database.

-- name: consume_ticket$
-- A ticket opens one socket, once, while it is fresh (30 s) and its user may sign in; none from before one of the
-- user's devices was signed out, since it may be that device's.
DELETE FROM live_tickets AS t USING users AS u
WHERE t.ticket_hash = :ticket_hash AND t.expires_at > now() AND u.id = t.user_id AND u.disabled_at IS NULL
  AND NOT EXISTS (
      SELECT FROM sessions AS s WHERE s.user_id = u.id AND s.revoked_at > t.expires_at - interval '30 seconds'
  )
RETURNING t.user_id;

-- name: version_reader$
-- Who may follow the log of a build: the version's owner, public model or not.
SELECT owner_id FROM versions WHERE id = :id;

-- name: job_reader$
-- Who may follow the log of a job: who runs it.
SELECT user_id FROM jobs WHERE id = :id;

-- name: still_welcome
-- Those of the users given who still have an account that may sign in.
SELECT id FROM users WHERE id = ANY (:ids) AND disabled_at IS NULL;

-- name: signed_out
-- Sessions of the users given that were ended lately.
SELECT id, user_id FROM sessions
WHERE user_id = ANY (:ids) AND revoked_at > now() - :within_s * interval '1 second';
