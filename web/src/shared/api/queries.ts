import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { type JobFilter, keys } from "@/shared/live/cache";
import { splitLog } from "@/shared/live/logs";
import { api, callText } from "./http";
import type { Health, Job, Model, Outputs, Page, Usage, User, Version } from "./types";

/** What more than one feature reads. */
export const meQuery = queryOptions({
  queryKey: keys.me,
  queryFn: ({ signal }) => api.get<User>("/api/users/me", undefined, signal),
  staleTime: 5 * 60_000,
});

/** What the user's versions take on disk. */
export const usageQuery = queryOptions({
  queryKey: keys.usage,
  queryFn: ({ signal }) => api.get<Usage>("/api/users/me/usage", undefined, signal),
});

export const healthQuery = queryOptions({
  queryKey: keys.health,
  queryFn: ({ signal }) => api.get<Health>("/api/health", undefined, signal),
  refetchInterval: 60_000,
});

/** Every model the user may see, up to 500: enough to search in the browser. */
export const modelsQuery = queryOptions({
  queryKey: keys.models,
  queryFn: async ({ signal }) => {
    const items: Model[] = [];
    let cursor: string | null = null;
    do {
      const page: Page<Model> = await api.get<Page<Model>>("/api/models/", { limit: 100, cursor }, signal);
      items.push(...page.items);
      cursor = page.next_cursor;
    } while (cursor && items.length < 500);
    return { items, next_cursor: cursor };
  },
});

export const modelQuery = (id: string) =>
  queryOptions({
    queryKey: keys.model(id),
    queryFn: ({ signal }) => api.get<Model>(`/api/models/${id}`, undefined, signal),
  });

export const modelVersionsQuery = (id: string) =>
  queryOptions({
    queryKey: keys.modelVersions(id),
    queryFn: ({ signal }) => api.get<Page<Version>>(`/api/models/${id}/versions`, { limit: 100 }, signal),
  });

export const versionQuery = (id: string) =>
  queryOptions({
    queryKey: keys.version(id),
    queryFn: ({ signal }) => api.get<Version>(`/api/models/versions/${id}`, undefined, signal),
  });

export const jobsQuery = (filter: JobFilter = {}, limit = 50) =>
  infiniteQueryOptions({
    queryKey: keys.jobs(filter),
    queryFn: ({ signal, pageParam }) =>
      api.get<Page<Job>>("/api/jobs/", { ...filter, limit, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
  });

export const jobQuery = (id: string) =>
  queryOptions({
    queryKey: keys.job(id),
    queryFn: ({ signal }) => api.get<Job>(`/api/jobs/${id}`, undefined, signal),
  });

export const outputsQuery = (id: string) =>
  queryOptions({
    queryKey: keys.outputs(id),
    queryFn: ({ signal }) => api.get<Outputs>(`/api/jobs/${id}/outputs`, undefined, signal),
    // URLs are signed for a while only
    staleTime: 5 * 60_000,
    structuralSharing: false,
  });

/** The stored log: whole once the end event was sent. */
export const storedLogQuery = (topic: string) =>
  queryOptions({
    queryKey: keys.log(topic),
    queryFn: async ({ signal }) => {
      const [noun, id] = topic.split(":");
      return splitLog(await callText(noun === "job" ? `/api/jobs/${id}/logs` : `/api/models/versions/${id}/logs`, signal));
    },
    structuralSharing: false,
  });
