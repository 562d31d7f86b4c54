-- name: beat!
-- A service says that it lives.
INSERT INTO workers (id, service, host, pid, state, slots, busy, info)
VALUES (:id, :service, :host, :pid, :state, :slots, :busy, :info)
ON CONFLICT (id) DO UPDATE SET pid = excluded.pid, host = excluded.host, state = excluded.state,
    slots = excluded.slots, busy = excluded.busy, info = excluded.info, heartbeat_at = now(),
    started_at = CASE WHEN workers.pid = excluded.pid THEN workers.started_at ELSE now() END;

-- name: leave!
-- A service stopped as it should.
DELETE FROM workers WHERE id = :id AND pid = :pid;

-- name: list_workers
-- Every service that has beaten within a day.
SELECT *, extract(epoch FROM now() - heartbeat_at)::float8 AS silent_s
FROM workers WHERE heartbeat_at > now() - interval '1 day' ORDER BY service, id;

-- name: add_dead_letter!
-- JetStream gave up on a message.
INSERT INTO dead_letters (id, kind, stream, consumer, stream_seq, deliveries, subject, object_id, reason)
VALUES (:id, :kind, :stream, :consumer, :stream_seq, :deliveries, :subject, :object_id, :reason)
ON CONFLICT (stream, consumer, stream_seq) DO NOTHING;
