import type { QueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { messageOf } from "@/shared/api/problem";
import type { Progress } from "@/shared/lib/upload";
import { keys } from "@/shared/live/cache";
import { createVersion, type Created, sendPackage, startBuild } from "./upload";

export interface Upload {
  modelId: string;
  number: string;
  file: Blob;
  stage: "creating" | "sending" | "starting" | "done" | "failed";
  progress: Progress | null;
  waiting: boolean;
  error: string | null;
  created: Created | null;
  abort: AbortController;
}

/** Uploads outlive the page they were started on; one at a time for a model. */
const uploads = new Map<string, Upload>();
const listeners = new Set<() => void>();

function change(modelId: string, patch: Partial<Upload>): void {
  const old = uploads.get(modelId);
  if (!old) return;
  uploads.set(modelId, { ...old, ...patch });
  for (const listener of listeners) listener();
}

const guard = (event: BeforeUnloadEvent) => event.preventDefault();

export function useUpload(modelId: string): Upload | null {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => uploads.get(modelId) ?? null,
  );
}

export function forgetUpload(modelId: string): void {
  uploads.get(modelId)?.abort.abort();
  uploads.delete(modelId);
  for (const listener of listeners) listener();
}

/** Create the version, send the package, start the build. Returns the version's id, or null when it failed. */
export async function uploadAndBuild(client: QueryClient, modelId: string, number: string, file: Blob): Promise<string | null> {
  const before = uploads.get(modelId);
  // a retry of the same number goes on with the version it made
  const kept = before?.number === number ? before.created : null;
  const abort = new AbortController();
  uploads.set(modelId, { modelId, number, file, stage: "creating", progress: null, waiting: false, error: null, created: kept, abort });
  for (const listener of listeners) listener();
  addEventListener("beforeunload", guard);
  try {
    const created = kept ?? (await createVersion(modelId, number));
    change(modelId, { created, stage: "sending" });
    await client.invalidateQueries({ queryKey: keys.modelVersions(modelId) });
    await sendPackage(created, file, {
      onProgress: (progress) => change(modelId, { progress }),
      onWaiting: (waiting) => change(modelId, { waiting }),
      signal: abort.signal,
    });
    change(modelId, { stage: "starting" });
    await startBuild(created.version_id);
    await client.invalidateQueries({ queryKey: keys.version(created.version_id) });
    await client.invalidateQueries({ queryKey: keys.modelVersions(modelId) });
    change(modelId, { stage: "done" });
    uploads.delete(modelId);
    for (const listener of listeners) listener();
    return created.version_id;
  } catch (error) {
    if (!abort.signal.aborted) change(modelId, { stage: "failed", error: messageOf(error), waiting: false });
    return null;
  } finally {
    removeEventListener("beforeunload", guard);
  }
}
