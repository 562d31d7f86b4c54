// The API's own types, from its OpenAPI document: `npm run api` writes them. Do not edit.
export interface paths {
    "/api/users/me/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Change the password
         * @description Every other session ends; 400 WRONG_PASSWORD when `current_password` is not right.
         */
        post: operations["change_password"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/me/sessions/{session_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Sign a device out
         * @description 404 when the user has no such session.
         */
        delete: operations["end_session"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/me/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Devices that are signed in
         * @description Last used first; `current` marks the one that asks.
         */
        get: operations["list_sessions"];
        put?: never;
        post?: never;
        /**
         * Sign out everywhere
         * @description This device is signed out too.
         */
        delete: operations["end_sessions"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The signed-in account
         * @description Read it.
         */
        get: operations["get_me"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/me/usage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What my models take on disk
         * @description Packages and images, and the operator's quota for both together.
         */
        get: operations["get_usage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sign in
         * @description JSON or a form, never the URL. With `"session": "cookie"` the refresh token goes into an HttpOnly cookie.
         */
        post: operations["login"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sign out on this device
         * @description End the session of the access token, of the refresh token in the body, or of the cookie; always 204.
         */
        post: operations["logout"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/refresh": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Get the next access token
         * @description The refresh token comes in the body, or in the cookie with an empty body; each works once.
         *
         *     A used one that comes again ends the session (401 SESSION_ENDED).
         */
        post: operations["refresh"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/register": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Make an account
         * @description 409 USERNAME_TAKEN or EMAIL_TAKEN when somebody has it already (case does not count).
         */
        post: operations["register"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/models/{model_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One model
         * @description Read an own or public model.
         */
        get: operations["get_model"];
        put?: never;
        post?: never;
        /**
         * Delete a model with everything of it
         * @description Cancel what runs and delete the model with its versions, jobs, objects and images.
         */
        delete: operations["delete_model"];
        options?: never;
        head?: never;
        /**
         * Change a model
         * @description Change name, description or visibility; what is not given stays.
         */
        patch: operations["change_model"];
        trace?: never;
    };
    "/api/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Own and public models
         * @description List own and public models, newest first.
         */
        get: operations["list_models"];
        put?: never;
        /**
         * Create a model
         * @description Create a model; its versions are uploaded next.
         */
        post: operations["create_model"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/models/{model_id}/versions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Versions of a model
         * @description List the versions of an own or public model, newest first, without logs.
         */
        get: operations["list_versions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/models/versions/{version_id}/build": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Queue the build
         * @description Queue the build of an uploaded package; its faults show on the version.
         */
        post: operations["build_version"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/models/versions/{version_id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel a build
         * @description Cancel an upload or a build in whatever phase it is.
         */
        post: operations["cancel_version"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/models/versions/{version_id}/parts/complete": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Join the parts
         * @description Join the parts that have arrived into the package.
         */
        post: operations["complete_version_parts"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/models/versions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Create a version and get its upload URL
         * @description Create a version of an own model. PUT the ZIP to `upload_url` next, then build.
         */
        post: operations["create_version"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/models/versions/{version_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One version
         * @description Read a version of an own or public model; what only its owner may see is empty for others.
         */
        get: operations["get_version"];
        put?: never;
        post?: never;
        /**
         * Delete a version
         * @description Cancel what runs and delete the version with its jobs, objects and image.
         */
        delete: operations["delete_version"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/models/versions/{version_id}/parts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * URLs for a package in parts
         * @description Get URLs for parts of a large package and hear which have arrived; call it again to resume.
         */
        post: operations["offer_version_parts"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/models/versions/{version_id}/logs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The build log
         * @description Read the whole build log so far, as text; for the owner only.
         */
        get: operations["get_version_logs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/jobs/{job_id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel a job
         * @description Cancel a job in whatever state it is.
         */
        post: operations["cancel_job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/jobs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Your jobs
         * @description List your jobs, newest first; large results are left out.
         */
        get: operations["list_jobs"];
        put?: never;
        /**
         * Create a job and get its upload URL
         * @description Create a job on a version of an own or public model. PUT the input to `upload_url` next, then run.
         */
        post: operations["create_job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/jobs/{job_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One job
         * @description Read one of your jobs.
         */
        get: operations["get_job"];
        put?: never;
        post?: never;
        /**
         * Delete a job
         * @description Cancel the job if it has not ended and delete it with input, outputs and log.
         */
        delete: operations["delete_job"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/jobs/{job_id}/outputs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Result and downloads
         * @description Get the result and signed URLs of the outputs; empty lists before the end.
         */
        get: operations["get_job_outputs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/jobs/{job_id}/logs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The job's log
         * @description Read what the model has printed so far, as text.
         */
        get: operations["get_job_logs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/jobs/{job_id}/run": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Queue the job
         * @description Queue a job whose input has been uploaded.
         */
        post: operations["run_job"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/jobs/batch/{batch_id}/archive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * All outputs as one ZIP
         * @description Get the outputs of every input and the list of outcomes in one archive, once the batch has ended.
         */
        get: operations["get_batch_archive"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/jobs/batch/{batch_id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel a batch
         * @description Cancel the inputs that have not ended; what has ended stays.
         */
        post: operations["cancel_batch"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/jobs/batch": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Your batches
         * @description List your batches, newest first.
         */
        get: operations["list_batches"];
        put?: never;
        /**
         * Run many images through a version
         * @description Store and queue up to 1,000 inputs of one version; or, with JSON, get a URL to upload their ZIP to.
         */
        post: operations["create_batch"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/jobs/batch/{batch_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One batch
         * @description Get one of your batches: how many of its inputs have ended, and how.
         */
        get: operations["get_batch"];
        put?: never;
        post?: never;
        /**
         * Delete a batch
         * @description Cancel the batch if it has not ended and delete it with inputs and outputs.
         */
        delete: operations["delete_batch"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/jobs/batch/{batch_id}/inputs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What came of each input
         * @description List inputs by their place in the batch, each with its state, fault, result and outputs.
         */
        get: operations["list_batch_inputs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/jobs/batch/{batch_id}/outputs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Where the outputs are
         * @description Get the address of the archive, and signed URLs of its parts as far as they are there.
         */
        get: operations["get_batch_outputs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/jobs/batch/{batch_id}/run": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Queue an uploaded batch
         * @description Queue a batch whose ZIP has been uploaded.
         */
        post: operations["run_batch"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/models/{model_id}/predict": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * The same on the newest READY version of a model
         * @description Queue a job on the version that was made last among those that are READY.
         */
        post: operations["predict_newest"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/models/versions/{version_id}/predict": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Run an image through a version and wait for the result
         * @description Queue a job like any other and answer it when it has ended; `?inline=true` gives small outputs at once.
         */
        post: operations["predict"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/live/ticket": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * A ticket for the WebSocket /ws
         * @description A browser cannot send headers with a WebSocket, and a token must not be in a URL: this is what goes there.
         *
         *     It works once, within 30 s. Only its hash is kept; the notifier takes it out of the table.
         */
        post: operations["create_live_ticket"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/users/{user_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Delete an account wholly
         * @description Models, versions, images, jobs, outputs, sessions: all go. An account that is gone answers with zeros.
         */
        delete: operations["admin_delete_user"];
        options?: never;
        head?: never;
        /**
         * Role and access of an account
         * @description 409 LAST_OPERATOR when nobody could maintain the platform afterwards.
         */
        patch: operations["admin_change_user"];
        trace?: never;
    };
    "/api/admin/cleanup": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Find and remove what nobody refers to
         * @description A dry run unless the body says `"dry_run": false`.
         */
        post: operations["admin_cleanup"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/dead-letters": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Messages that were delivered too often
         * @description List dead letters, newest first.
         */
        get: operations["admin_list_dead_letters"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/disk": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Disk use by model
         * @description Bytes by model, the largest first; measured at most every 30 s.
         */
        get: operations["admin_disk"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/dead-letters/{letter_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Forget a dead letter
         * @description Delete the row; the version or job is not touched.
         */
        delete: operations["admin_dismiss"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/queue": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What has not ended
         * @description Count versions and jobs by state, with the age of the oldest, and what waits on the bus.
         */
        get: operations["admin_queue"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/dead-letters/{letter_id}/redrive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send its object's last event again
         * @description 409 NOTHING_TO_REDRIVE when the object is gone or has ended.
         */
        post: operations["admin_redrive"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * All accounts
         * @description List accounts, newest first, with how much they have.
         */
        get: operations["admin_list_users"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/admin/workers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Heartbeats of all services
         * @description List every service that has beaten within a day.
         */
        get: operations["admin_workers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How the platform is, part by part
         * @description `status` is ok, starting, degraded (a part is down, the rest serves) or down (nothing can be served).
         *
         *     Each component is `ok`, `starting` or `down: why`. The HTTP status is 503 while the gateway itself cannot serve
         *     (it is still opening its parts, or the database is away), else 200.
         */
        get: operations["get_health"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** Account */
        Account: {
            /** Format: uuid */
            id: string;
            username: string;
            email: string;
            /** Format: date-time */
            created_at: string;
        };
        /** AdminUser */
        AdminUser: {
            /** Format: uuid */
            id: string;
            username: string;
            email: string;
            role: components["schemas"]["Role"];
            disabled_at: string | null;
            /** Format: date-time */
            created_at: string;
            models: number;
            versions: number;
            jobs: number;
        };
        /** ArchivePart */
        ArchivePart: {
            first: number;
            count: number;
            url: string;
            size: number;
        };
        /** ArrivedPart */
        ArrivedPart: {
            number: number;
            size: number;
            etag: string;
        };
        /** Batch */
        Batch: {
            /** Format: uuid */
            id: string;
            /** Format: uuid */
            batch_id: string;
            /** Format: uuid */
            version_id: string;
            /** Format: uuid */
            user_id: string;
            /** Format: uuid */
            model_id: string;
            model_name: string;
            version_number: string;
            status: components["schemas"]["BatchStatus"];
            rev: number;
            params: {
                [key: string]: unknown;
            };
            total: number;
            succeeded: number;
            failed: number;
            input_size: number | null;
            output_bytes: number;
            error_code: string | null;
            error_message: string | null;
            deadline: string | null;
            queued_at: string | null;
            started_at: string | null;
            finished_at: string | null;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
        };
        /** BatchOutputs */
        BatchOutputs: {
            /** Format: uuid */
            batch_id: string;
            status: components["schemas"]["BatchStatus"];
            archive_url: string | null;
            parts: components["schemas"]["ArchivePart"][];
        };
        /**
         * BatchStatus
         * @description UPLOADING → QUEUED → RUNNING → COMPLETED | CANCELED; each input has an end of its own.
         * @enum {string}
         */
        BatchStatus: "UPLOADING" | "QUEUED" | "RUNNING" | "COMPLETED" | "CANCELED";
        /**
         * BatchUpload
         * @example BatchUpload(batch_id=UUID('3d4806c2-fb7f-4f5d-9c2c-2e2cc49104d0'), upload_url='YFcagWptUqCwdERilvbz', expires_in=9939, max_bytes=1180)
         */
        BatchUpload: {
            /**
             * Format: uuid
             * @example 7b89296c-6dcb-4c50-8857-7eb1924770d3
             */
            batch_id: string;
            /** @example EkQQHiBrmXZcSFtoJxJI */
            upload_url: string;
            /** @example 2178 */
            expires_in: number;
            /** @example 7486 */
            max_bytes: number;
        };
        /** BuildStarted */
        BuildStarted: {
            /** Format: uuid */
            version_id: string;
            status: components["schemas"]["VersionStatus"];
            message: string;
        };
        /** ChangePassword */
        ChangePassword: {
            current_password: string;
            /** @description 8 to 1024 characters */
            new_password: string;
        };
        /** CleanedUp */
        CleanedUp: {
            dry_run: boolean;
            items: components["schemas"]["CleanupItem"][];
            total_bytes: number;
            problems: string[];
        };
        /** Cleanup */
        Cleanup: {
            /** @default true */
            dry_run: boolean;
            /** @default 24 */
            grace_h: number;
            failed_days?: number | null;
        };
        /** CleanupItem */
        CleanupItem: {
            kind: string;
            name: string;
            bytes: number;
            age_s: number;
            reason: string;
        };
        /** ConsumerRow */
        ConsumerRow: {
            name: string;
            pending: number;
            ack_pending: number;
            redelivered: number;
        };
        /** DeadLetter */
        DeadLetter: {
            /** Format: uuid */
            id: string;
            kind: string;
            subject: string;
            consumer: string;
            deliveries: number;
            reason: string;
            object_id: string | null;
            status: string | null;
            /** Format: date-time */
            created_at: string;
            redriven_at: string | null;
        };
        /** Disk */
        Disk: {
            items: components["schemas"]["DiskRow"][];
            free_bytes: number;
            disk_bytes: number;
            /** Format: date-time */
            measured_at: string;
        };
        /** DiskRow */
        DiskRow: {
            /** Format: uuid */
            id: string;
            name: string;
            owner: string;
            versions: number;
            jobs: number;
            package_bytes: number;
            image_bytes: number;
            input_bytes: number;
            output_bytes: number;
            log_bytes: number;
            total_bytes: number;
        };
        /** Gone */
        Gone: {
            models: number;
            versions: number;
            jobs: number;
            objects: number;
            images: number;
            left: string[];
        };
        /** Health */
        Health: {
            status: components["schemas"]["PlatformStatus"];
            components: {
                [key: string]: string;
            };
        };
        /** InputOutcome */
        InputOutcome: {
            index: number;
            name: string;
            /** @enum {string} */
            status: "QUEUED" | "RUNNING" | "SUCCEEDED" | "FAILED" | "CANCELED";
            error_code?: string | null;
            error_message?: string | null;
            result?: {
                [key: string]: unknown;
            } | null;
            result_path?: string | null;
            outputs?: components["schemas"]["OutputEntry"][];
            ms?: number | null;
            /** @default  */
            log: string;
        };
        /** InputPage */
        InputPage: {
            items: components["schemas"]["InputOutcome"][];
            next_cursor: string | null;
        };
        /** Job */
        Job: {
            /** Format: uuid */
            id: string;
            /** Format: uuid */
            version_id: string;
            /** Format: uuid */
            user_id: string;
            /** Format: uuid */
            model_id: string;
            model_name: string;
            version_number: string;
            status: components["schemas"]["JobStatus"];
            rev: number;
            result: {
                [key: string]: unknown;
            } | null;
            result_omitted: boolean;
            output_count: number;
            timings: {
                [key: string]: number;
            };
            error_code: string | null;
            error_message: string | null;
            deadline: string | null;
            input_type: string | null;
            input_size: number | null;
            input_sha256: string | null;
            queued_at: string | null;
            started_at: string | null;
            finished_at: string | null;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
            params: {
                [key: string]: unknown;
            };
            input_path: string | null;
            input_url: string | null;
            output_paths: string[];
        };
        /** JobItem */
        JobItem: {
            /** Format: uuid */
            id: string;
            /** Format: uuid */
            version_id: string;
            /** Format: uuid */
            user_id: string;
            /** Format: uuid */
            model_id: string;
            model_name: string;
            version_number: string;
            status: components["schemas"]["JobStatus"];
            rev: number;
            result: {
                [key: string]: unknown;
            } | null;
            result_omitted: boolean;
            output_count: number;
            timings: {
                [key: string]: number;
            };
            error_code: string | null;
            error_message: string | null;
            deadline: string | null;
            input_type: string | null;
            input_size: number | null;
            input_sha256: string | null;
            queued_at: string | null;
            started_at: string | null;
            finished_at: string | null;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
        };
        /**
         * JobStatus
         * @description UPLOADING → QUEUED → RUNNING → SUCCEEDED | FAILED | CANCELED.
         * @enum {string}
         */
        JobStatus: "UPLOADING" | "QUEUED" | "RUNNING" | "SUCCEEDED" | "FAILED" | "CANCELED";
        /** JobUpload */
        JobUpload: {
            /** Format: uuid */
            job_id: string;
            upload_url: string;
            expires_in: number;
            max_bytes: number;
        };
        /** Me */
        Me: {
            /** Format: uuid */
            id: string;
            username: string;
            email: string;
            role: components["schemas"]["Role"];
            /** Format: date-time */
            created_at: string;
        };
        /** Model */
        Model: {
            /** Format: uuid */
            id: string;
            name: string;
            description: string;
            /** Format: uuid */
            owner_id: string;
            owner: string;
            is_public: boolean;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
        };
        /** ModelChange */
        ModelChange: {
            name?: string;
            description?: string;
            is_public?: boolean;
        };
        /** NewJob */
        NewJob: {
            /** Format: uuid */
            version_id: string;
            params?: {
                [key: string]: unknown;
            };
        };
        /** NewModel */
        NewModel: {
            name: string;
            /** @default  */
            description: string;
            /** @default false */
            is_public: boolean;
        };
        /** NewVersion */
        NewVersion: {
            /** Format: uuid */
            model_id: string;
            /** @description 1 to 64 letters, digits and `. _ + -`; unique in the model */
            version_number: string;
        };
        /** Output */
        Output: {
            name: string;
            url: string;
            size: number;
            content_type: string;
            sha256: string;
        };
        /** OutputEntry */
        OutputEntry: {
            name: string;
            path: string;
            size: number;
            sha256: string;
        };
        /** Outputs */
        Outputs: {
            /** Format: uuid */
            job_id: string;
            status: components["schemas"]["JobStatus"];
            result: {
                [key: string]: unknown;
            } | null;
            output_urls: string[];
            outputs: components["schemas"]["Output"][];
        };
        /** Page[AdminUser] */
        "Page_services.api.admin.schemas.AdminUser_": {
            items: components["schemas"]["AdminUser"][];
            next_cursor: string | null;
        };
        /** Page[DeadLetter] */
        "Page_services.api.admin.schemas.DeadLetter_": {
            items: components["schemas"]["DeadLetter"][];
            next_cursor: string | null;
        };
        /** Page[Batch] */
        "Page_services.api.batches.schemas.Batch_": {
            items: components["schemas"]["Batch"][];
            next_cursor: string | null;
        };
        /** Page[JobItem] */
        "Page_services.api.jobs.schemas.JobItem_": {
            items: components["schemas"]["JobItem"][];
            next_cursor: string | null;
        };
        /** Page[Model] */
        "Page_services.api.models.schemas.Model_": {
            items: components["schemas"]["Model"][];
            next_cursor: string | null;
        };
        /** Page[VersionItem] */
        "Page_services.api.versions.schemas.VersionItem_": {
            items: components["schemas"]["VersionItem"][];
            next_cursor: string | null;
        };
        /** PartUrl */
        PartUrl: {
            number: number;
            url: string;
        };
        /** Parts */
        Parts: {
            part_size: number;
            expires_in: number;
            parts: components["schemas"]["PartUrl"][];
            uploaded: components["schemas"]["ArrivedPart"][];
        };
        /** PartsJoined */
        PartsJoined: {
            /** Format: uuid */
            version_id: string;
            size: number;
        };
        /** Phase */
        Phase: {
            name: string;
            started_at?: string | null;
            ms?: number | null;
        };
        /**
         * PlatformStatus
         * @description The platform as a whole.
         * @enum {string}
         */
        PlatformStatus: "ok" | "starting" | "degraded" | "down";
        /** Prediction */
        Prediction: {
            /** Format: uuid */
            id: string;
            /** Format: uuid */
            version_id: string;
            /** Format: uuid */
            user_id: string;
            /** Format: uuid */
            model_id: string;
            model_name: string;
            version_number: string;
            status: components["schemas"]["JobStatus"];
            rev: number;
            result: {
                [key: string]: unknown;
            } | null;
            result_omitted: boolean;
            output_count: number;
            timings: {
                [key: string]: number;
            };
            error_code: string | null;
            error_message: string | null;
            deadline: string | null;
            input_type: string | null;
            input_size: number | null;
            input_sha256: string | null;
            queued_at: string | null;
            started_at: string | null;
            finished_at: string | null;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
            params: {
                [key: string]: unknown;
            };
            input_path: string | null;
            input_url: string | null;
            output_paths: string[];
            /** Format: uuid */
            job_id: string;
            output_urls: string[];
            outputs: components["schemas"]["Output"][];
        };
        /** Queue */
        Queue: {
            items: components["schemas"]["QueueRow"][];
            consumers: components["schemas"]["ConsumerRow"][] | null;
            unpublished_events: number;
        };
        /** QueueRow */
        QueueRow: {
            noun: string;
            status: string;
            count: number;
            /** Format: date-time */
            oldest_at: string;
            oldest_s: number;
        };
        /**
         * Role
         * @description What an account may do; `admin` is the operator.
         * @enum {string}
         */
        Role: "user" | "admin";
        /** SessionInfo */
        SessionInfo: {
            /** Format: uuid */
            id: string;
            user_agent: string;
            address: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            last_used_at: string;
            /** Format: date-time */
            expires_at: string;
            current: boolean;
        };
        /** Sessions */
        Sessions: {
            items: components["schemas"]["SessionInfo"][];
            next_cursor?: null;
        };
        /** Ticket */
        Ticket: {
            ticket: string;
            /** @description Seconds */
            expires_in: number;
        };
        /** Tokens */
        Tokens: {
            access_token: string;
            token_type: string;
            /** @description Seconds until the access token expires */
            expires_in: number;
            /** @description Absent when it is in the cookie */
            refresh_token?: string;
        };
        /** Usage */
        Usage: {
            versions: number;
            package_bytes: number;
            image_bytes: number;
            quota_bytes: number | null;
        };
        /** UserChange */
        UserChange: {
            role?: components["schemas"]["Role"];
            disabled?: boolean;
        };
        /** Version */
        Version: {
            /** Format: uuid */
            id: string;
            /** Format: uuid */
            model_id: string;
            /** Format: uuid */
            owner_id: string;
            version_number: string;
            status: components["schemas"]["VersionStatus"];
            rev: number;
            docker_image: string | null;
            docker_image_digest: string | null;
            image_bytes: number | null;
            package_sha256: string | null;
            package_size: number | null;
            package_info: {
                [key: string]: unknown;
            } | null;
            phases: components["schemas"]["Phase"][];
            error_code: string | null;
            error_message: string | null;
            deadline: string | null;
            queued_at: string | null;
            started_at: string | null;
            finished_at: string | null;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
            model_name: string;
            readme: string | null;
            package_path: string | null;
            lock: string | null;
            build_logs: string;
        };
        /** VersionItem */
        VersionItem: {
            /** Format: uuid */
            id: string;
            /** Format: uuid */
            model_id: string;
            /** Format: uuid */
            owner_id: string;
            version_number: string;
            status: components["schemas"]["VersionStatus"];
            rev: number;
            docker_image: string | null;
            docker_image_digest: string | null;
            image_bytes: number | null;
            package_sha256: string | null;
            package_size: number | null;
            package_info: {
                [key: string]: unknown;
            } | null;
            phases: components["schemas"]["Phase"][];
            error_code: string | null;
            error_message: string | null;
            deadline: string | null;
            queued_at: string | null;
            started_at: string | null;
            finished_at: string | null;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
        };
        /**
         * VersionStatus
         * @description UPLOADING → QUEUED → BUILDING → READY | FAILED | CANCELED.
         * @enum {string}
         */
        VersionStatus: "UPLOADING" | "QUEUED" | "BUILDING" | "READY" | "FAILED" | "CANCELED";
        /** VersionUpload */
        VersionUpload: {
            /** Format: uuid */
            version_id: string;
            upload_url: string;
            expires_in: number;
            max_bytes: number;
        };
        /** WantedParts */
        WantedParts: {
            numbers?: number[] | null;
            size?: number | null;
            part_size?: number | null;
        };
        /** WorkerRow */
        WorkerRow: {
            id: string;
            service: string;
            state: string;
            alive: boolean;
            slots: number;
            busy: number;
            silent_s: number;
            host: string;
            pid: number;
            /** Format: date-time */
            started_at: string;
            /** Format: date-time */
            heartbeat_at: string;
            info: {
                [key: string]: unknown;
            };
        };
        /** Workers */
        Workers: {
            items: components["schemas"]["WorkerRow"][];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    change_password: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ChangePassword"];
            };
        };
        responses: {
            /** @description Request fulfilled, nothing follows */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    end_session: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                session_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, nothing follows */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    list_sessions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sessions"];
                };
            };
        };
    };
    end_sessions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, nothing follows */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": null;
                };
            };
        };
    };
    get_me: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Me"];
                };
            };
        };
    };
    get_usage: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Usage"];
                };
            };
        };
    };
    login: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    username: string;
                    password: string;
                    /**
                     * @default token
                     * @enum {string}
                     */
                    session?: "token" | "cookie";
                };
                "application/x-www-form-urlencoded": {
                    username: string;
                    password: string;
                    /**
                     * @default token
                     * @enum {string}
                     */
                    session?: "token" | "cookie";
                };
            };
        };
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Tokens"];
                };
            };
        };
    };
    logout: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    refresh_token?: string;
                };
                "application/x-www-form-urlencoded": {
                    refresh_token?: string;
                };
            };
        };
        responses: {
            /** @description Request fulfilled, nothing follows */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": null;
                };
            };
        };
    };
    refresh: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": {
                    refresh_token?: string;
                };
                "application/x-www-form-urlencoded": {
                    refresh_token?: string;
                };
            };
        };
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Tokens"];
                };
            };
        };
    };
    register: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    username: string;
                    /** Format: email */
                    email: string;
                    password: string;
                };
                "application/x-www-form-urlencoded": {
                    username: string;
                    /** Format: email */
                    email: string;
                    password: string;
                };
            };
        };
        responses: {
            /** @description Additional response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Account"];
                };
            };
        };
    };
    get_model: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Model"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    delete_model: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, nothing follows */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    change_model: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ModelChange"];
            };
        };
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Model"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    list_models: {
        parameters: {
            query?: {
                /** @description Items of a page, at most 100 */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_services.api.models.schemas.Model_"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    create_model: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewModel"];
            };
        };
        responses: {
            /** @description Document created, URL follows */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Model"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    list_versions: {
        parameters: {
            query?: {
                /** @description Items of a page, at most 100 */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string | null;
            };
            header?: never;
            path: {
                model_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_services.api.versions.schemas.VersionItem_"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    build_version: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                version_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request accepted, processing continues off-line */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BuildStarted"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    cancel_version: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                version_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Version"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    complete_version_parts: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                version_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PartsJoined"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    create_version: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewVersion"];
            };
        };
        responses: {
            /** @description Document created, URL follows */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VersionUpload"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    get_version: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                version_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Version"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    delete_version: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                version_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, nothing follows */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    offer_version_parts: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                version_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["WantedParts"];
            };
        };
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Parts"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    get_version_logs: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                version_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    cancel_job: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    list_jobs: {
        parameters: {
            query?: {
                /** @description States to show, separated by commas */
                status?: string | null;
                model_id?: string | null;
                version_id?: string | null;
                /** @description Made then or later (RFC 3339) */
                created_after?: string | null;
                /** @description Another name of `created_after` */
                since?: string | null;
                /** @description Made before (RFC 3339) */
                created_before?: string | null;
                /** @description Items of a page, at most 100 */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_services.api.jobs.schemas.JobItem_"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    create_job: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewJob"];
            };
        };
        responses: {
            /** @description Document created, URL follows */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobUpload"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    get_job: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    delete_job: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, nothing follows */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    get_job_outputs: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outputs"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    get_job_logs: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    run_job: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request accepted, processing continues off-line */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    get_batch_archive: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                batch_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A ZIP */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/zip": string;
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    cancel_batch: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                batch_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Batch"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    list_batches: {
        parameters: {
            query?: {
                version_id?: string | null;
                /** @description Items of a page, at most 100 */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_services.api.batches.schemas.Batch_"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    create_batch: {
        parameters: {
            query?: {
                version_id?: string | null;
                /** @description Parameters for `run()` of every input, a JSON object */
                params?: string | null;
            };
            header?: {
                /** @description The same key within 24 h stands for the same batch */
                "Idempotency-Key"?: string | null;
            };
            path?: never;
            cookie?: never;
        };
        /** @description A ZIP of images, or a form with files; or JSON, to upload the ZIP to storage */
        requestBody: {
            content: {
                "application/zip": string;
                "multipart/form-data": {
                    version_id?: string;
                    params?: string;
                    files: string[];
                };
                "application/json": {
                    version_id: string;
                    params?: Record<string, never>;
                };
            };
        };
        responses: {
            /** @description After JSON: PUT the ZIP to `upload_url`, then run */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BatchUpload"];
                };
            };
            /** @description Queued; `Location` is where it is */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Batch"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    get_batch: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                batch_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Batch"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    delete_batch: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                batch_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, nothing follows */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    list_batch_inputs: {
        parameters: {
            query?: {
                /** @description Only inputs in this state */
                status?: "QUEUED" | "RUNNING" | "SUCCEEDED" | "FAILED" | "CANCELED" | null;
                /** @description Items of a page, at most 100 */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string | null;
            };
            header?: never;
            path: {
                batch_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InputPage"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    get_batch_outputs: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                batch_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BatchOutputs"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    run_batch: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                batch_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request accepted, processing continues off-line */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Batch"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    predict_newest: {
        parameters: {
            query?: {
                /** @description Parameters for `run()`, a JSON object */
                params?: string | null;
                inline?: boolean;
                /** @description `cancel`: cancel the job when the client hangs up before its end */
                on_disconnect?: string | null;
            };
            header?: {
                /** @description `wait=N`: answer after N seconds at the latest (0 to 60, default 60) */
                Prefer?: string | null;
                /** @description The same key within 24 h stands for the same job */
                "Idempotency-Key"?: string | null;
            };
            path: {
                model_id: string;
            };
            cookie?: never;
        };
        /** @description The image as it is, of whatever type, or a form */
        requestBody: {
            content: {
                "application/octet-stream": string;
                "multipart/form-data": {
                    /** Format: binary */
                    file: string;
                    /** @description A JSON object */
                    params?: string;
                };
            };
        };
        responses: {
            /** @description The job has ended, well or not */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Prediction"];
                };
            };
            /** @description The wait is over and the job goes on; `Location` is where it is */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Prediction"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    predict: {
        parameters: {
            query?: {
                /** @description Parameters for `run()`, a JSON object */
                params?: string | null;
                inline?: boolean;
                /** @description `cancel`: cancel the job when the client hangs up before its end */
                on_disconnect?: string | null;
            };
            header?: {
                /** @description `wait=N`: answer after N seconds at the latest (0 to 60, default 60) */
                Prefer?: string | null;
                /** @description The same key within 24 h stands for the same job */
                "Idempotency-Key"?: string | null;
            };
            path: {
                version_id: string;
            };
            cookie?: never;
        };
        /** @description The image as it is, of whatever type, or a form */
        requestBody: {
            content: {
                "application/octet-stream": string;
                "multipart/form-data": {
                    /** Format: binary */
                    file: string;
                    /** @description A JSON object */
                    params?: string;
                };
            };
        };
        responses: {
            /** @description The job has ended, well or not */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Prediction"];
                };
            };
            /** @description The wait is over and the job goes on; `Location` is where it is */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Prediction"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    create_live_ticket: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Ticket"];
                };
            };
        };
    };
    admin_delete_user: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                user_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Gone"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    admin_change_user: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                user_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UserChange"];
            };
        };
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AdminUser"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    admin_cleanup: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Cleanup"];
            };
        };
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CleanedUp"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    admin_list_dead_letters: {
        parameters: {
            query?: {
                /** @description Items of a page, at most 100 */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_services.api.admin.schemas.DeadLetter_"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    admin_disk: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Disk"];
                };
            };
        };
    };
    admin_dismiss: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                letter_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, nothing follows */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    admin_queue: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Queue"];
                };
            };
        };
    };
    admin_redrive: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                letter_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, nothing follows */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    admin_list_users: {
        parameters: {
            query?: {
                /** @description Items of a page, at most 100 */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page_services.api.admin.schemas.AdminUser_"];
                };
            };
            /** @description Bad request syntax or unsupported method */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        status_code: number;
                        detail: string;
                        extra?: null | {
                            [key: string]: unknown;
                        } | unknown[];
                    };
                };
            };
        };
    };
    admin_workers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Workers"];
                };
            };
        };
    };
    get_health: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Request fulfilled, document follows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
        };
    };
}
