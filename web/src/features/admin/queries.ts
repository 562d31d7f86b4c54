import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { api } from "@/shared/api/http";
import type { components } from "@/shared/api/schema.gen";
import type { Page } from "@/shared/api/types";
import { keys } from "@/shared/live/cache";

type Schemas = components["schemas"];
export type AdminUser = Schemas["AdminUser"];
export type DeadLetter = Schemas["DeadLetter"];
export type WorkerRow = Schemas["WorkerRow"];
export type CleanedUp = Schemas["CleanedUp"];
export type UserChange = Schemas["UserChange"];

/** Heartbeats and queues are no events of a user, so nothing pushes them. */
const EVERY_MS = 5_000;
const fresh = { refetchInterval: EVERY_MS, structuralSharing: true } as const;

export const queueQuery = queryOptions({
  queryKey: keys.admin("queue"),
  queryFn: ({ signal }) => api.get<Schemas["Queue"]>("/api/admin/queue", undefined, signal),
  ...fresh,
});

export const workersQuery = queryOptions({
  queryKey: keys.admin("workers"),
  queryFn: ({ signal }) => api.get<Schemas["Workers"]>("/api/admin/workers", undefined, signal),
  ...fresh,
});

/** The platform measures at most every 30 s. */
export const diskQuery = queryOptions({
  queryKey: keys.admin("disk"),
  queryFn: ({ signal }) => api.get<Schemas["Disk"]>("/api/admin/disk", undefined, signal),
  refetchInterval: 60_000,
  structuralSharing: true,
});

const paged = <T>(what: string, path: string) =>
  infiniteQueryOptions({
    queryKey: keys.admin(what),
    queryFn: ({ signal, pageParam }) => api.get<Page<T>>(path, { limit: 100, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    structuralSharing: true,
  });

export const usersQuery = paged<AdminUser>("users", "/api/admin/users");
export const deadLettersQuery = paged<DeadLetter>("dead", "/api/admin/dead-letters");
