-- migrate:up

CREATE TABLE users (
    id uuid PRIMARY KEY,
    username text NOT NULL CHECK (username ~ '^[A-Za-z0-9._-]{3,64}$'),
    email text NOT NULL CHECK (length(email) <= 254),
    hashed_password text NOT NULL,
    role text NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin')),
    disabled_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_username_key ON users (lower(username));
CREATE UNIQUE INDEX users_email_key ON users (lower(email));

-- One row a signed-in device. The refresh token rotates; a used one coming back ends the session.
CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    user_agent text NOT NULL DEFAULT '',
    address text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX sessions_user_idx ON sessions (user_id);

CREATE TABLE refresh_tokens (
    token_hash bytea PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz
);
CREATE INDEX refresh_tokens_session_idx ON refresh_tokens (session_id);

-- Single-use WebSocket tickets; only their hash is kept.
CREATE TABLE live_tickets (
    ticket_hash bytea PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);

CREATE TABLE models (
    id uuid PRIMARY KEY,
    owner_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    description text NOT NULL DEFAULT '' CHECK (length(description) <= 10000),
    is_public boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX models_owner_idx ON models (owner_id, id DESC);
CREATE INDEX models_public_idx ON models (id DESC) WHERE is_public;

CREATE TABLE versions (
    id uuid PRIMARY KEY,
    model_id uuid NOT NULL REFERENCES models ON DELETE CASCADE,
    owner_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    version_number text NOT NULL CHECK (version_number ~ '^[A-Za-z0-9._+-]{1,64}$'),
    status text NOT NULL DEFAULT 'UPLOADING'
        CHECK (status IN ('UPLOADING', 'QUEUED', 'BUILDING', 'READY', 'FAILED', 'CANCELED')),
    rev integer NOT NULL DEFAULT 0,
    epoch integer NOT NULL DEFAULT 0,
    lease_until timestamptz,
    worker text,
    deadline timestamptz,
    -- the upload: quarantine key and what HEAD said of it
    upload_key text NOT NULL,
    upload_id text,
    upload_size bigint,
    upload_etag text,
    -- the package, once hashed
    package_path text,
    package_sha256 text,
    package_size bigint,
    package_info jsonb,
    -- the image
    lock text,
    docker_image text,
    docker_image_digest text,
    image_bytes bigint,
    -- the build
    phases jsonb NOT NULL DEFAULT '[]',
    build_logs text NOT NULL DEFAULT '',
    log_path text,
    error_code text,
    error_message text,
    queued_at timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (model_id, version_number)
);
CREATE INDEX versions_model_idx ON versions (model_id, id DESC);
CREATE INDEX versions_owner_idx ON versions (owner_id);
CREATE INDEX versions_package_idx ON versions (package_sha256) WHERE status = 'READY';
CREATE INDEX versions_open_idx ON versions (status, id) WHERE status IN ('UPLOADING', 'QUEUED', 'BUILDING');

CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    version_id uuid NOT NULL REFERENCES versions ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    status text NOT NULL DEFAULT 'UPLOADING'
        CHECK (status IN ('UPLOADING', 'QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELED')),
    rev integer NOT NULL DEFAULT 0,
    epoch integer NOT NULL DEFAULT 0,
    lease_until timestamptz,
    worker text,
    deadline timestamptz,
    params jsonb NOT NULL DEFAULT '{}',
    upload_key text NOT NULL,
    upload_size bigint,
    upload_etag text,
    input_path text,
    input_sha256 text,
    input_size bigint,
    input_type text,
    output_paths jsonb NOT NULL DEFAULT '[]',
    outputs jsonb NOT NULL DEFAULT '[]',
    result jsonb,
    timings jsonb NOT NULL DEFAULT '{}',
    log_path text,
    error_code text,
    error_message text,
    queued_at timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX jobs_user_idx ON jobs (user_id, id DESC);
CREATE INDEX jobs_version_idx ON jobs (version_id, id DESC);
CREATE INDEX jobs_open_idx ON jobs (status, id) WHERE status IN ('UPLOADING', 'QUEUED', 'RUNNING');

-- State changes waiting for, or gone to, the bus. `id` is the event's ce-id; `emission` the n of Nats-Msg-Id.
CREATE TABLE outbox (
    id uuid PRIMARY KEY,
    object_id uuid NOT NULL,
    rev integer NOT NULL,
    subject text NOT NULL,
    type text NOT NULL,
    data jsonb NOT NULL,
    traceparent text NOT NULL DEFAULT '',
    emission integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    publish_after timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz,
    UNIQUE (object_id, rev)
);
CREATE INDEX outbox_unpublished_idx ON outbox (publish_after) WHERE published_at IS NULL;
CREATE INDEX outbox_published_idx ON outbox (published_at) WHERE published_at IS NOT NULL;

-- Messages JetStream gave up on, kept until an operator redrives or dismisses them.
CREATE TABLE dead_letters (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    stream text NOT NULL,
    consumer text NOT NULL,
    stream_seq bigint NOT NULL,
    deliveries integer NOT NULL,
    subject text NOT NULL DEFAULT '',
    object_id uuid,
    reason text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    redriven_at timestamptz,
    UNIQUE (stream, consumer, stream_seq)
);

-- Heartbeats of services.
CREATE TABLE workers (
    id text PRIMARY KEY,
    service text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    state text NOT NULL CHECK (state IN ('starting', 'ready', 'stopping')),
    slots integer NOT NULL DEFAULT 0,
    busy integer NOT NULL DEFAULT 0,
    info jsonb NOT NULL DEFAULT '{}',
    started_at timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now()
);

-- migrate:down

DROP TABLE workers, dead_letters, outbox, jobs, versions, models, live_tickets, refresh_tokens, sessions, users;
