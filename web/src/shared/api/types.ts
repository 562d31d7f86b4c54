import type { components } from "./schema.gen";

/**
 * Objects of the API as the page uses them: the types of the OpenAPI document (schema.gen.ts), with JSON that a model
 * made given its true shape, and with what a list or an event leaves out made optional.
 */
type Schemas = components["schemas"];
type Lacking<T, K extends keyof T> = Omit<T, K> & Partial<Pick<T, K>>;
/** Fields that only the single object has, not the item of a list. */
type Whole<Item, Single> = Item & Partial<Omit<Single, keyof Item>>;

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type VersionStatus = Schemas["VersionStatus"];
export type JobStatus = Schemas["JobStatus"];

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

export type User = Schemas["Me"];
export type Usage = Schemas["Usage"];
export type Tokens = Schemas["Tokens"];
export type SessionInfo = Schemas["SessionInfo"];
export type Model = Schemas["Model"];
export type Phase = Schemas["Phase"];
export type Output = Schemas["Output"];
export type Health = Schemas["Health"];
export type Ticket = Schemas["Ticket"];
export type VersionUpload = Schemas["VersionUpload"];
export type PartsOffer = Schemas["Parts"];
export type JobUpload = Schemas["JobUpload"];

/** Every live object has an id and a revision that only grows. */
export interface Revised {
  id: string;
  rev?: number;
  updated_at?: string;
}

export type Version = Whole<Lacking<Schemas["VersionItem"], "image_bytes" | "package_size" | "package_info" | "queued_at" | "started_at" | "finished_at">, Schemas["Version"]>;

interface MadeByModel {
  result: Record<string, Json> | null;
  params?: Record<string, Json>;
}

type JobLacks = "model_id" | "model_name" | "version_number" | "user_id" | "input_type" | "input_size" | "input_sha256" | "queued_at" | "started_at" | "finished_at" | "output_count" | "result_omitted";

export type Job = Omit<Whole<Lacking<Schemas["JobItem"], JobLacks>, Schemas["Job"]>, keyof MadeByModel> & MadeByModel;

export type Outputs = Omit<Schemas["Outputs"], "result"> & Pick<MadeByModel, "result">;
