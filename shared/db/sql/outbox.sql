-- name: add_event!
-- Write an event beside its state change; the caller holds the transaction.
INSERT INTO outbox (id, object_id, rev, subject, type, data, traceparent, publish_after)
VALUES (:id, :object_id, :rev, :subject, :type, :data, :traceparent, now() + :delay_s * interval '1 second');

-- name: lock_unpublished
-- The object's unpublished events, oldest first; waits for a publisher at work so that order holds.
SELECT id, rev, subject, type, data, traceparent, emission, created_at
FROM outbox
WHERE object_id = :object_id AND published_at IS NULL
ORDER BY rev
FOR UPDATE;

-- name: mark_published!
-- The bus has acknowledged these emissions.
UPDATE outbox SET published_at = now() WHERE id = ANY (:ids);

-- name: mark_sent!
-- The bus has acknowledged the first emission of these; one that was emitted anew meanwhile is left alone.
UPDATE outbox SET published_at = now() WHERE id = ANY (:ids) AND published_at IS NULL AND emission = 1;

-- name: objects_to_relay
-- Objects with events that nobody published at once (the process died between commit and publish).
SELECT DISTINCT object_id
FROM (
    SELECT object_id FROM outbox
    WHERE published_at IS NULL AND publish_after < now() - :older_than_s * interval '1 second'
    ORDER BY publish_after
    LIMIT 200
    FOR UPDATE SKIP LOCKED
) AS waiting;

-- name: reemit_lost_versions
-- Queued versions nobody took though it was their turn: their last event goes out again under the same ce-id and a new
-- n. `head_at`: when the first message was stored that still waits for a worker, if any does.
UPDATE outbox AS o SET published_at = NULL, emission = emission + 1
FROM versions AS v
WHERE v.status = 'QUEUED' AND o.object_id = v.id AND o.rev = v.rev
  AND o.published_at < coalesce(:head_at, now()) - :after_s * power(2, least(o.emission - 1, 10)) * interval '1 second'
RETURNING o.object_id;

-- name: reemit_lost_jobs
-- The same of jobs. Those that were queued after the head of the line are not looked at, however many they are.
UPDATE outbox AS o SET published_at = NULL, emission = emission + 1
FROM jobs AS j
WHERE j.status = 'QUEUED' AND j.updated_at < coalesce(:head_at, now()) - :after_s * interval '1 second'
  AND o.object_id = j.id AND o.rev = j.rev
  AND o.published_at < coalesce(:head_at, now()) - :after_s * power(2, least(o.emission - 1, 10)) * interval '1 second'
RETURNING o.object_id;

-- name: reemit_object^
-- An operator redrives one object's last event.
UPDATE outbox SET published_at = NULL, emission = emission + 1
WHERE id = (SELECT id FROM outbox WHERE object_id = :object_id ORDER BY rev DESC LIMIT 1)
RETURNING object_id;

-- name: trim!
-- Published events older than the stream keeps them.
DELETE FROM outbox WHERE published_at < now() - :days * interval '1 day'
  AND NOT EXISTS (SELECT 1 FROM versions v WHERE v.id = object_id AND v.rev = outbox.rev AND v.status IN ('QUEUED', 'BUILDING'))
  AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = object_id AND j.rev = outbox.rev AND j.status IN ('QUEUED', 'RUNNING'));
