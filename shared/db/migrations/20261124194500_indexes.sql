-- migrate:up

-- A job carries its model, so that the jobs of a model are one range of an index. A trigger fills it in, whoever writes
-- the row; a version never changes its model.
ALTER TABLE jobs ADD COLUMN model_id uuid;

CREATE FUNCTION job_model() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT model_id INTO NEW.model_id FROM versions WHERE id = NEW.version_id;
    IF NOT FOUND THEN
        RAISE foreign_key_violation USING MESSAGE = 'there is no version ' || NEW.version_id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER job_model BEFORE INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION job_model();
UPDATE jobs AS j SET model_id = v.model_id FROM versions AS v WHERE v.id = j.version_id;
ALTER TABLE jobs ALTER COLUMN model_id SET NOT NULL;

-- The list of jobs: newest first within user and state, and within version or model where one is asked for. By time and
-- not by id: where the primary key has the order that is asked for, the planner goes through all jobs by it whenever it
-- takes a state for more frequent than it is with this user.
CREATE INDEX jobs_user_status_idx ON jobs (user_id, status, created_at, id);
CREATE INDEX jobs_version_status_idx ON jobs (version_id, user_id, status, created_at, id);
CREATE INDEX jobs_model_status_idx ON jobs (model_id, user_id, status, created_at, id);
DROP INDEX jobs_user_idx, jobs_version_idx;

-- The sweeper: who has passed the deadline, however many wait.
CREATE INDEX jobs_deadline_idx ON jobs (deadline) WHERE status IN ('QUEUED', 'RUNNING');
CREATE INDEX versions_deadline_idx ON versions (deadline) WHERE status IN ('QUEUED', 'BUILDING');

-- Removal and builds: who else refers to this object, image or package.
CREATE INDEX jobs_input_idx ON jobs USING hash (input_path) WHERE input_path IS NOT NULL;
CREATE INDEX versions_path_idx ON versions USING hash (package_path) WHERE package_path IS NOT NULL;
CREATE INDEX batches_input_idx ON batches (input_path) WHERE input_path IS NOT NULL;
CREATE INDEX versions_digest_idx ON versions (docker_image_digest) WHERE status = 'READY';
CREATE INDEX versions_image_idx ON versions (docker_image) WHERE status = 'READY';
CREATE INDEX versions_dependency_idx ON versions ((package_info->>'dependency_image'));
CREATE INDEX versions_ended_idx ON versions (updated_at) WHERE status IN ('FAILED', 'CANCELED');
CREATE INDEX dead_letters_object_idx ON dead_letters (object_id);

-- Tickets of a user that have expired; thousands may wait when everybody reconnects at once.
CREATE INDEX live_tickets_user_idx ON live_tickets (user_id, expires_at);
CREATE INDEX users_operators_idx ON users (id) WHERE role = 'admin';

-- migrate:down

DROP INDEX users_operators_idx, live_tickets_user_idx, dead_letters_object_idx, versions_ended_idx,
    versions_dependency_idx, versions_image_idx, versions_digest_idx, batches_input_idx, versions_path_idx, jobs_input_idx,
    versions_deadline_idx, jobs_deadline_idx;
CREATE INDEX jobs_user_idx ON jobs (user_id, id DESC);
CREATE INDEX jobs_version_idx ON jobs (version_id, id DESC);
DROP INDEX jobs_user_status_idx, jobs_version_status_idx, jobs_model_status_idx;
DROP TRIGGER job_model ON jobs;
DROP FUNCTION job_model();
ALTER TABLE jobs DROP COLUMN model_id;
