import type { InfiniteData, QueryClient } from "@tanstack/react-query";
import type { Job, Model, Page, Revised, Version } from "@/shared/api/types";
import type { EventFrame } from "./frames";

/** Query keys, in one place so that the socket patches what the pages read. */
export const keys = {
  me: ["me"] as const,
  sessions: ["me", "sessions"] as const,
  usage: ["me", "usage"] as const,
  health: ["health"] as const,
  models: ["models"] as const,
  model: (id: string) => ["model", id] as const,
  modelVersions: (id: string) => ["versions", "of", id] as const,
  version: (id: string) => ["version", id] as const,
  jobs: (filter: JobFilter = {}) => ["jobs", filter] as const,
  job: (id: string) => ["job", id] as const,
  outputs: (id: string) => ["outputs", id] as const,
  log: (topic: string) => ["log", topic] as const,
  admin: (what: string) => ["admin", what] as const,
};

export interface JobFilter {
  status?: string;
  model_id?: string;
  version_id?: string;
  since?: string;
}

/** Is `next` at least as new as `old`? By revision, else by the time of the change. */
export function isNewer(old: Revised | undefined, next: Revised): boolean {
  if (!old) return true;
  if (old.rev !== undefined && next.rev !== undefined) return next.rev > old.rev;
  if (old.updated_at && next.updated_at) return next.updated_at > old.updated_at;
  return true;
}

/** Merge a change into an object we know; what the event does not carry stays. */
export function merge<T extends Revised>(old: T, next: Partial<T> & Revised): T {
  if (!isNewer(old, next)) return old;
  const result = { ...old };
  for (const [key, value] of Object.entries(next)) {
    if (value !== undefined) (result as Record<string, unknown>)[key] = value;
  }
  return result;
}

function isRevised(value: unknown): value is Revised {
  return typeof value === "object" && value !== null && "id" in value && "status" in value;
}

function itemsOf(data: unknown): Revised[] {
  if (isRevised(data)) return [data];
  if (typeof data !== "object" || data === null) return [];
  if ("pages" in data) return (data as InfiniteData<Page<Revised>>).pages.flatMap((page) => page.items);
  if ("items" in data && Array.isArray(data.items)) return (data as Page<Revised>).items.filter(isRevised);
  return [];
}

function mapItems(data: unknown, change: (item: Revised) => Revised): unknown {
  if (isRevised(data)) return change(data);
  if (typeof data !== "object" || data === null) return data;
  if ("pages" in data) {
    const pages = data as InfiniteData<Page<Revised>>;
    return { ...pages, pages: pages.pages.map((page) => ({ ...page, items: page.items.map(change) })) };
  }
  if ("items" in data && Array.isArray(data.items)) {
    const page = data as Page<Revised>;
    return { ...page, items: page.items.map((item) => (isRevised(item) ? change(item) : item)) };
  }
  return data;
}

/**
 * `structuralSharing` of every query that holds live objects: an answer that was under way while an event came in
 * must not turn the clock back.
 */
export function keepNewer(old: unknown, next: unknown): unknown {
  const known = new Map(itemsOf(old).map((item) => [item.id, item]));
  if (!known.size) return next;
  return mapItems(next, (item) => {
    const before = known.get(item.id);
    // the event leaves out what only the row has, so the answer lies below what is newer
    return before && isNewer(item, before) ? merge(item, before) : item;
  });
}

/** Rows that events may add before the list is read afresh in pages: a page left open must not grow for ever. */
const FIRST_PAGE_MAX = 200;

function matches(filter: JobFilter, job: Job): boolean {
  return (
    (!filter.status || filter.status.split(",").includes(job.status)) &&
    (!filter.version_id || filter.version_id === job.version_id) &&
    (!filter.model_id || filter.model_id === job.model_id) &&
    (!filter.since || job.created_at >= filter.since)
  );
}

/** Put one event into the cache. Returns the object as known now, for toasts. */
export function applyEvent(client: QueryClient, frame: EventFrame): Version | Job {
  return frame.event.startsWith("version.")
    ? applyVersion(client, frame.data as unknown as Version)
    : applyJob(client, frame.data as unknown as Job, frame.event);
}

function patchOne<T extends Revised>(client: QueryClient, key: readonly unknown[], next: T): T | undefined {
  return client.setQueryData<T>(key, (old) => (old ? merge(old, next) : undefined));
}

function patchList<T extends Revised>(client: QueryClient, key: readonly unknown[], next: T): boolean {
  let found = false;
  client.setQueryData(key, (data: unknown) =>
    mapItems(data, (item) => {
      if (item.id !== next.id) return item;
      found = true;
      return merge(item as T, next);
    }),
  );
  return found;
}

function applyVersion(client: QueryClient, next: Version): Version {
  const known = patchOne(client, keys.version(next.id), next);
  const models = client.getQueryData<Page<Model>>(keys.models);
  // made in another window or by a program: no event tells of a model itself
  if (models && !models.items.some((each) => each.id === next.model_id)) void client.invalidateQueries({ queryKey: keys.models });
  const list = keys.modelVersions(next.model_id);
  if (client.getQueryData(list) !== undefined && !patchList(client, list, next)) {
    void client.invalidateQueries({ queryKey: list });
  }
  if (next.status === "READY" || next.status === "FAILED") {
    // what the event does not carry: package facts, README, the end of the log
    void client.invalidateQueries({ queryKey: keys.version(next.id) });
    void client.invalidateQueries({ queryKey: keys.log(`version:${next.id}`) });
    void client.invalidateQueries({ queryKey: keys.usage });
  }
  return known ?? next;
}

function applyJob(client: QueryClient, next: Job, event: string): Job {
  // an event without its large result must not blank the one we have
  const patch = next.result_omitted ? { ...next, result: undefined as unknown as Job["result"] } : next;
  const known = patchOne(client, keys.job(next.id), patch);
  const named = { ...namesOf(client, next.version_id), ...next, ...known };
  for (const query of client.getQueryCache().findAll({ queryKey: ["jobs"] })) {
    const filter = (query.queryKey[1] ?? {}) as JobFilter;
    const found = patchList(client, query.queryKey, patch);
    const listed = itemsOf(query.state.data).some((item) => item.id === next.id);
    if (found || listed) {
      if (filter.status && !filter.status.split(",").includes(next.status)) removeFrom(client, query.queryKey, next.id);
    } else if (query.state.data !== undefined) {
      if (filter.model_id && !named.model_id) void client.invalidateQueries({ queryKey: query.queryKey });
      else if (matches(filter, named)) {
        if (prepend(client, query.queryKey, named) > FIRST_PAGE_MAX) void client.invalidateQueries({ queryKey: query.queryKey });
        // a row without its model's name is there at once, and named as soon as it was read
        if (!named.model_name) void client.invalidateQueries({ queryKey: query.queryKey });
      }
    }
  }
  if (["job.succeeded", "job.failed", "job.canceled"].includes(event)) {
    void client.invalidateQueries({ queryKey: keys.job(next.id) });
    void client.invalidateQueries({ queryKey: keys.outputs(next.id) });
    void client.invalidateQueries({ queryKey: keys.log(`job:${next.id}`) });
  }
  return named;
}

/** What an event of a job leaves out of the names its row shows, from what the page has read already. */
function namesOf(client: QueryClient, versionId: string): Pick<Job, "model_id" | "model_name" | "version_number"> | undefined {
  for (const job of client.getQueriesData({ queryKey: ["jobs"] }).flatMap(([, data]) => itemsOf(data) as Job[])) {
    if (job.version_id === versionId && job.model_name && job.model_id && job.version_number) {
      return { model_id: job.model_id, model_name: job.model_name, version_number: job.version_number };
    }
  }
  const version =
    client.getQueryData<Version>(keys.version(versionId)) ??
    (client.getQueriesData({ queryKey: ["versions"] }).flatMap(([, data]) => itemsOf(data)) as Version[]).find((each) => each.id === versionId);
  const model = version && client.getQueryData<Page<Model>>(keys.models)?.items.find((each) => each.id === version.model_id);
  return version && model && { model_id: model.id, model_name: model.name, version_number: version.version_number };
}

/** Put a job first; returns how long the first page is now. */
function prepend(client: QueryClient, key: readonly unknown[], job: Job): number {
  let length = 0;
  client.setQueryData(key, (data: InfiniteData<Page<Job>> | Page<Job> | undefined) => {
    if (!data) return data;
    if ("pages" in data) {
      const [first, ...rest] = data.pages;
      length = (first?.items.length ?? 0) + 1;
      return first ? { ...data, pages: [{ ...first, items: [job, ...first.items] }, ...rest] } : data;
    }
    return { ...data, items: [job, ...data.items] };
  });
  return length;
}

function removeFrom(client: QueryClient, key: readonly unknown[], id: string): void {
  client.setQueryData(key, (data: InfiniteData<Page<Job>> | Page<Job> | undefined) => {
    if (!data) return data;
    const without = (page: Page<Job>) => ({ ...page, items: page.items.filter((item) => item.id !== id) });
    return "pages" in data ? { ...data, pages: data.pages.map(without) } : without(data);
  });
}
