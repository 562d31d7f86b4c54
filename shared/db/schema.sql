SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: job_model(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.job_model() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    SELECT model_id INTO NEW.model_id FROM versions WHERE id = NEW.version_id;
    IF NOT FOUND THEN
        RAISE foreign_key_violation USING MESSAGE = 'there is no version ' || NEW.version_id;
    END IF;
    RETURN NEW;
END $$;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: batches; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.batches (
    id uuid NOT NULL,
    version_id uuid NOT NULL,
    user_id uuid NOT NULL,
    status text DEFAULT 'UPLOADING'::text NOT NULL,
    rev integer DEFAULT 0 NOT NULL,
    deadline timestamp with time zone,
    params jsonb DEFAULT '{}'::jsonb NOT NULL,
    upload_key text NOT NULL,
    input_path text,
    input_size bigint,
    total integer DEFAULT 0 NOT NULL,
    succeeded integer DEFAULT 0 NOT NULL,
    failed integer DEFAULT 0 NOT NULL,
    output_bytes bigint DEFAULT 0 NOT NULL,
    error_code text,
    error_message text,
    traceparent text DEFAULT ''::text NOT NULL,
    idempotency_key text,
    request_hash bytea,
    queued_at timestamp with time zone,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT batches_status_check CHECK ((status = ANY (ARRAY['UPLOADING'::text, 'QUEUED'::text, 'RUNNING'::text, 'COMPLETED'::text, 'CANCELED'::text])))
);

--
-- Name: chunks; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.chunks (
    batch_id uuid NOT NULL,
    first integer NOT NULL,
    user_id uuid NOT NULL,
    status text DEFAULT 'QUEUED'::text NOT NULL,
    epoch integer DEFAULT 0 NOT NULL,
    lease_until timestamp with time zone,
    worker text,
    ready_at timestamp with time zone DEFAULT now() NOT NULL,
    deadline timestamp with time zone NOT NULL,
    inputs jsonb NOT NULL,
    succeeded integer DEFAULT 0 NOT NULL,
    failed integer DEFAULT 0 NOT NULL,
    archive jsonb,
    error_message text,
    CONSTRAINT chunks_status_check CHECK ((status = ANY (ARRAY['QUEUED'::text, 'RUNNING'::text, 'DONE'::text, 'FAILED'::text, 'CANCELED'::text])))
);

--
-- Name: dead_letters; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.dead_letters (
    id uuid NOT NULL,
    kind text NOT NULL,
    stream text NOT NULL,
    consumer text NOT NULL,
    stream_seq bigint NOT NULL,
    deliveries integer NOT NULL,
    subject text DEFAULT ''::text NOT NULL,
    object_id uuid,
    reason text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    redriven_at timestamp with time zone
);

--
-- Name: jobs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.jobs (
    id uuid NOT NULL,
    version_id uuid NOT NULL,
    user_id uuid NOT NULL,
    status text DEFAULT 'UPLOADING'::text NOT NULL,
    rev integer DEFAULT 0 NOT NULL,
    epoch integer DEFAULT 0 NOT NULL,
    lease_until timestamp with time zone,
    worker text,
    deadline timestamp with time zone,
    params jsonb DEFAULT '{}'::jsonb NOT NULL,
    upload_key text NOT NULL,
    upload_size bigint,
    upload_etag text,
    input_path text,
    input_sha256 text,
    input_size bigint,
    input_type text,
    output_paths jsonb DEFAULT '[]'::jsonb NOT NULL,
    outputs jsonb DEFAULT '[]'::jsonb NOT NULL,
    result jsonb,
    timings jsonb DEFAULT '{}'::jsonb NOT NULL,
    log_path text,
    error_code text,
    error_message text,
    queued_at timestamp with time zone,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    idempotency_key text,
    request_hash bytea,
    model_id uuid NOT NULL,
    CONSTRAINT jobs_status_check CHECK ((status = ANY (ARRAY['UPLOADING'::text, 'QUEUED'::text, 'RUNNING'::text, 'SUCCEEDED'::text, 'FAILED'::text, 'CANCELED'::text])))
);

--
-- Name: live_tickets; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.live_tickets (
    ticket_hash bytea NOT NULL,
    user_id uuid NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

--
-- Name: models; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.models (
    id uuid NOT NULL,
    owner_id uuid NOT NULL,
    name text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    is_public boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT models_description_check CHECK ((length(description) <= 10000)),
    CONSTRAINT models_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200)))
);

--
-- Name: outbox; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.outbox (
    id uuid NOT NULL,
    object_id uuid NOT NULL,
    rev integer NOT NULL,
    subject text NOT NULL,
    type text NOT NULL,
    data jsonb NOT NULL,
    traceparent text DEFAULT ''::text NOT NULL,
    emission integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    publish_after timestamp with time zone DEFAULT now() NOT NULL,
    published_at timestamp with time zone
);

--
-- Name: refresh_tokens; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.refresh_tokens (
    token_hash bytea NOT NULL,
    session_id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    used_at timestamp with time zone
);

--
-- Name: schema_migrations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.schema_migrations (
    version character varying NOT NULL
);

--
-- Name: sessions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.sessions (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    user_agent text DEFAULT ''::text NOT NULL,
    address text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_used_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone
);

--
-- Name: users; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.users (
    id uuid NOT NULL,
    username text NOT NULL,
    email text NOT NULL,
    hashed_password text NOT NULL,
    role text DEFAULT 'user'::text NOT NULL,
    disabled_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT users_email_check CHECK ((length(email) <= 254)),
    CONSTRAINT users_role_check CHECK ((role = ANY (ARRAY['user'::text, 'admin'::text]))),
    CONSTRAINT users_username_check CHECK ((username ~ '^[A-Za-z0-9._-]{3,64}$'::text))
);

--
-- Name: versions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.versions (
    id uuid NOT NULL,
    model_id uuid NOT NULL,
    owner_id uuid NOT NULL,
    version_number text NOT NULL,
    status text DEFAULT 'UPLOADING'::text NOT NULL,
    rev integer DEFAULT 0 NOT NULL,
    epoch integer DEFAULT 0 NOT NULL,
    lease_until timestamp with time zone,
    worker text,
    deadline timestamp with time zone,
    upload_key text NOT NULL,
    upload_id text,
    upload_size bigint,
    upload_etag text,
    package_path text,
    package_sha256 text,
    package_size bigint,
    package_info jsonb,
    lock text,
    docker_image text,
    docker_image_digest text,
    image_bytes bigint,
    phases jsonb DEFAULT '[]'::jsonb NOT NULL,
    build_logs text DEFAULT ''::text NOT NULL,
    log_path text,
    error_code text,
    error_message text,
    queued_at timestamp with time zone,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT versions_status_check CHECK ((status = ANY (ARRAY['UPLOADING'::text, 'QUEUED'::text, 'BUILDING'::text, 'READY'::text, 'FAILED'::text, 'CANCELED'::text]))),
    CONSTRAINT versions_version_number_check CHECK ((version_number ~ '^[A-Za-z0-9._+-]{1,64}$'::text))
);

--
-- Name: workers; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.workers (
    id text NOT NULL,
    service text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    state text NOT NULL,
    slots integer DEFAULT 0 NOT NULL,
    busy integer DEFAULT 0 NOT NULL,
    info jsonb DEFAULT '{}'::jsonb NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    heartbeat_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT workers_state_check CHECK ((state = ANY (ARRAY['starting'::text, 'ready'::text, 'stopping'::text])))
);

--
-- Name: batches batches_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.batches
    ADD CONSTRAINT batches_pkey PRIMARY KEY (id);

--
-- Name: chunks chunks_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.chunks
    ADD CONSTRAINT chunks_pkey PRIMARY KEY (batch_id, first);

--
-- Name: dead_letters dead_letters_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.dead_letters
    ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (id);

--
-- Name: dead_letters dead_letters_stream_consumer_stream_seq_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.dead_letters
    ADD CONSTRAINT dead_letters_stream_consumer_stream_seq_key UNIQUE (stream, consumer, stream_seq);

--
-- Name: jobs jobs_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (id);

--
-- Name: live_tickets live_tickets_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.live_tickets
    ADD CONSTRAINT live_tickets_pkey PRIMARY KEY (ticket_hash);

--
-- Name: models models_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.models
    ADD CONSTRAINT models_pkey PRIMARY KEY (id);

--
-- Name: outbox outbox_object_id_rev_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_object_id_rev_key UNIQUE (object_id, rev);

--
-- Name: outbox outbox_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);

--
-- Name: refresh_tokens refresh_tokens_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.refresh_tokens
    ADD CONSTRAINT refresh_tokens_pkey PRIMARY KEY (token_hash);

--
-- Name: schema_migrations schema_migrations_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);

--
-- Name: sessions sessions_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);

--
-- Name: users users_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

--
-- Name: versions versions_model_id_version_number_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.versions
    ADD CONSTRAINT versions_model_id_version_number_key UNIQUE (model_id, version_number);

--
-- Name: versions versions_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.versions
    ADD CONSTRAINT versions_pkey PRIMARY KEY (id);

--
-- Name: workers workers_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.workers
    ADD CONSTRAINT workers_pkey PRIMARY KEY (id);

--
-- Name: batches_idempotency_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX batches_idempotency_idx ON public.batches USING btree (user_id, idempotency_key) WHERE (idempotency_key IS NOT NULL);

--
-- Name: batches_input_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX batches_input_idx ON public.batches USING btree (input_path) WHERE (input_path IS NOT NULL);

--
-- Name: batches_open_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX batches_open_idx ON public.batches USING btree (status, id) WHERE (status = ANY (ARRAY['UPLOADING'::text, 'QUEUED'::text, 'RUNNING'::text]));

--
-- Name: batches_user_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX batches_user_idx ON public.batches USING btree (user_id, id DESC);

--
-- Name: batches_version_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX batches_version_idx ON public.batches USING btree (version_id);

--
-- Name: chunks_queued_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX chunks_queued_idx ON public.chunks USING btree (user_id, batch_id, first) WHERE (status = 'QUEUED'::text);

--
-- Name: chunks_running_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX chunks_running_idx ON public.chunks USING btree (user_id) WHERE (status = 'RUNNING'::text);

--
-- Name: dead_letters_object_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX dead_letters_object_idx ON public.dead_letters USING btree (object_id);

--
-- Name: jobs_deadline_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX jobs_deadline_idx ON public.jobs USING btree (deadline) WHERE (status = ANY (ARRAY['QUEUED'::text, 'RUNNING'::text]));

--
-- Name: jobs_idempotency_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX jobs_idempotency_idx ON public.jobs USING btree (user_id, idempotency_key) WHERE (idempotency_key IS NOT NULL);

--
-- Name: jobs_input_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX jobs_input_idx ON public.jobs USING btree (input_path) WHERE (input_path IS NOT NULL);

--
-- Name: jobs_model_status_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX jobs_model_status_idx ON public.jobs USING btree (model_id, user_id, status, created_at, id);

--
-- Name: jobs_open_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX jobs_open_idx ON public.jobs USING btree (status, updated_at) WHERE (status = ANY (ARRAY['UPLOADING'::text, 'QUEUED'::text, 'RUNNING'::text]));

--
-- Name: jobs_user_status_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX jobs_user_status_idx ON public.jobs USING btree (user_id, status, created_at, id);

--
-- Name: jobs_version_status_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX jobs_version_status_idx ON public.jobs USING btree (version_id, user_id, status, created_at, id);

--
-- Name: live_tickets_user_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX live_tickets_user_idx ON public.live_tickets USING btree (user_id, expires_at);

--
-- Name: models_owner_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX models_owner_idx ON public.models USING btree (owner_id, id DESC);

--
-- Name: models_public_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX models_public_idx ON public.models USING btree (id DESC) WHERE is_public;

--
-- Name: outbox_published_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX outbox_published_idx ON public.outbox USING btree (published_at) WHERE (published_at IS NOT NULL);

--
-- Name: outbox_unpublished_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX outbox_unpublished_idx ON public.outbox USING btree (publish_after) WHERE (published_at IS NULL);

--
-- Name: refresh_tokens_session_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX refresh_tokens_session_idx ON public.refresh_tokens USING btree (session_id);

--
-- Name: sessions_user_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX sessions_user_idx ON public.sessions USING btree (user_id);

--
-- Name: users_email_key; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX users_email_key ON public.users USING btree (lower(email));

--
-- Name: users_operators_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX users_operators_idx ON public.users USING btree (id) WHERE (role = 'admin'::text);

--
-- Name: users_username_key; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX users_username_key ON public.users USING btree (lower(username));

--
-- Name: versions_deadline_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX versions_deadline_idx ON public.versions USING btree (deadline) WHERE (status = ANY (ARRAY['QUEUED'::text, 'BUILDING'::text]));

--
-- Name: versions_dependency_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX versions_dependency_idx ON public.versions USING btree (((package_info ->> 'dependency_image'::text)));

--
-- Name: versions_digest_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX versions_digest_idx ON public.versions USING btree (docker_image_digest) WHERE (status = 'READY'::text);

--
-- Name: versions_ended_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX versions_ended_idx ON public.versions USING btree (updated_at) WHERE (status = ANY (ARRAY['FAILED'::text, 'CANCELED'::text]));

--
-- Name: versions_image_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX versions_image_idx ON public.versions USING btree (docker_image) WHERE (status = 'READY'::text);

--
-- Name: versions_model_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX versions_model_idx ON public.versions USING btree (model_id, id DESC);

--
-- Name: versions_open_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX versions_open_idx ON public.versions USING btree (status, id) WHERE (status = ANY (ARRAY['UPLOADING'::text, 'QUEUED'::text, 'BUILDING'::text]));

--
-- Name: versions_owner_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX versions_owner_idx ON public.versions USING btree (owner_id);

--
-- Name: versions_package_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX versions_package_idx ON public.versions USING btree (package_sha256) WHERE (status = 'READY'::text);

--
-- Name: versions_path_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX versions_path_idx ON public.versions USING hash (package_path) WHERE (package_path IS NOT NULL);

--
-- Name: jobs job_model; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER job_model BEFORE INSERT ON public.jobs FOR EACH ROW EXECUTE FUNCTION public.job_model();

--
-- Name: batches batches_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.batches
    ADD CONSTRAINT batches_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

--
-- Name: batches batches_version_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.batches
    ADD CONSTRAINT batches_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.versions(id) ON DELETE CASCADE;

--
-- Name: chunks chunks_batch_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.chunks
    ADD CONSTRAINT chunks_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES public.batches(id) ON DELETE CASCADE;

--
-- Name: jobs jobs_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

--
-- Name: jobs jobs_version_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.versions(id) ON DELETE CASCADE;

--
-- Name: live_tickets live_tickets_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.live_tickets
    ADD CONSTRAINT live_tickets_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

--
-- Name: models models_owner_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.models
    ADD CONSTRAINT models_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES public.users(id) ON DELETE CASCADE;

--
-- Name: refresh_tokens refresh_tokens_session_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.refresh_tokens
    ADD CONSTRAINT refresh_tokens_session_id_fkey FOREIGN KEY (session_id) REFERENCES public.sessions(id) ON DELETE CASCADE;

--
-- Name: sessions sessions_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

--
-- Name: versions versions_model_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.versions
    ADD CONSTRAINT versions_model_id_fkey FOREIGN KEY (model_id) REFERENCES public.models(id) ON DELETE CASCADE;

--
-- Name: versions versions_owner_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.versions
    ADD CONSTRAINT versions_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES public.users(id) ON DELETE CASCADE;

--
-- PostgreSQL database dump complete
--

--
-- Dbmate schema migrations
--

INSERT INTO public.schema_migrations (version) VALUES
    ('20261124090000'),
    ('20261124161500'),
    ('20261124193000'),
    ('20261124194500'),
    ('20261130130000');
