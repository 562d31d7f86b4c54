-- What the notifier asks the database.

-- name: consume_ticket$
-- A ticket opens one socket, once, while it is fresh and its user may sign in.
DELETE FROM live_tickets AS t USING users AS u
WHERE t.ticket_hash = :ticket_hash AND t.expires_at > now() AND u.id = t.user_id AND u.disabled_at IS NULL
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
