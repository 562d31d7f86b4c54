/** Objects of the API, as the page uses them (docs/api.md). Unknown fields are ignored, optional ones may be absent. */

export type VersionStatus = "UPLOADING" | "QUEUED" | "BUILDING" | "READY" | "FAILED" | "CANCELED";
export type JobStatus = "UPLOADING" | "QUEUED" | "RUNNING" | "SUCCEEDED" | "FAILED" | "CANCELED";
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

export interface User {
  id: string;
  username: string;
  email: string;
  role: "user" | "admin";
  created_at: string;
}

export interface Tokens {
  access_token: string;
  token_type: string;
  /** Seconds. */
  expires_in: number;
}

export interface SessionInfo {
  id: string;
  user_agent: string;
  address: string;
  created_at: string;
  last_used_at: string;
  expires_at: string;
  current?: boolean;
}

export interface Model {
  id: string;
  name: string;
  description: string;
  owner_id: string;
  owner?: string;
  is_public: boolean;
  created_at: string;
  updated_at?: string;
}

export interface Phase {
  name: string;
  started_at?: string | null;
  /** Milliseconds; null while the phase runs. */
  ms: number | null;
}

/** Every live object has an id and a revision that only grows. */
export interface Revised {
  id: string;
  rev?: number;
  updated_at?: string;
}

export interface Version extends Revised {
  model_id: string;
  model_name?: string;
  owner_id?: string;
  version_number: string;
  status: VersionStatus;
  docker_image: string | null;
  docker_image_digest: string | null;
  package_sha256: string | null;
  package_size?: number | null;
  image_bytes?: number | null;
  package_info?: { readme?: string; [key: string]: unknown } | null;
  readme?: string | null;
  phases?: Phase[];
  build_logs?: string;
  error_code: string | null;
  error_message: string | null;
  deadline: string | null;
  queued_at?: string | null;
  started_at?: string | null;
  finished_at?: string | null;
  created_at: string;
  updated_at: string;
}

export interface Job extends Revised {
  version_id: string;
  user_id?: string;
  model_id?: string;
  model_name?: string;
  version_number?: string;
  status: JobStatus;
  params?: Record<string, Json>;
  result: Record<string, Json> | null;
  result_omitted?: boolean;
  input_url?: string | null;
  input_type?: string | null;
  input_size?: number | null;
  input_sha256?: string | null;
  output_count?: number;
  output_paths?: string[];
  /** Milliseconds by phase. */
  timings: Record<string, number>;
  error_code: string | null;
  error_message: string | null;
  deadline: string | null;
  queued_at?: string | null;
  started_at?: string | null;
  finished_at?: string | null;
  created_at: string;
  updated_at: string;
}

export interface Output {
  name: string;
  url: string;
  size: number;
  content_type: string;
  sha256: string;
}

export interface Outputs {
  job_id: string;
  status: JobStatus;
  result: Record<string, Json> | null;
  output_urls: string[];
  outputs: Output[];
}

export interface Component {
  status: string;
  detail?: string;
  [key: string]: unknown;
}

export interface Health {
  status: string;
  components: Record<string, Component | string>;
}
