import type { QueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { api } from "@/shared/api/http";
import { messageOf } from "@/shared/api/problem";
import { modelVersionsQuery } from "@/shared/api/queries";
import type { Progress } from "@/shared/lib/upload";
import { keys } from "@/shared/live/cache";
import { begun, createVersion, type Created, fingerprint, sendPackage, startBuild } from "./upload";

export interface Upload {
  modelId: string;
  number: string;
  file: Blob;
  stage: "creating" | "sending" | "starting" | "failed";
  progress: Progress | null;
  waiting: boolean;
  error: string | null;
  created: Created | null;
  abort: AbortController;
}

/** Uploads outlive the page they were started on; one at a time for a model. */
const uploads = new Map<string, Upload>();
const listeners = new Set<() => void>();

function announce(): void {
  for (const listener of listeners) listener();
}

function change(upload: Upload, patch: Partial<Upload>): void {
  const now = uploads.get(upload.modelId);
  // one that was stopped, or begun anew, has nothing to say any more
  if (now?.abort !== upload.abort) return;
  uploads.set(upload.modelId, { ...now, ...patch });
  announce();
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

/** Stop sending and take back the version that waits for it. */
export async function stopUpload(client: QueryClient, modelId: string): Promise<void> {
  const upload = uploads.get(modelId);
  upload?.abort.abort();
  uploads.delete(modelId);
  announce();
  if (!upload?.created) return;
  begun.keep(upload.created.version_id, null);
  await api.delete(`/api/models/versions/${upload.created.version_id}`).catch(() => null);
  await client.invalidateQueries({ queryKey: keys.modelVersions(modelId) });
}

/** The version to send to: one whose upload of the same package was cut, or a new one. */
async function versionFor(client: QueryClient, upload: Upload): Promise<Created> {
  const { modelId, number, file } = upload;
  const print = await fingerprint(file);
  const known = await client.fetchQuery({ ...modelVersionsQuery(modelId), staleTime: 0 });
  const unfinished = known.items.find((each) => each.version_number === number && each.status === "UPLOADING");
  if (unfinished && begun.of(unfinished.id) === print) return { version_id: unfinished.id, upload_url: null };
  // another package began under this number and never arrived
  if (unfinished) await api.delete(`/api/models/versions/${unfinished.id}`);
  const created = await createVersion(modelId, number);
  begun.keep(created.version_id, print);
  return created;
}

/** Create the version, send the package, start the build. Returns the version's id, or null when it failed. */
export async function uploadAndBuild(client: QueryClient, modelId: string, number: string, file: Blob): Promise<string | null> {
  uploads.get(modelId)?.abort.abort();
  const abort = new AbortController();
  const upload: Upload = { modelId, number, file, stage: "creating", progress: null, waiting: false, error: null, created: null, abort };
  uploads.set(modelId, upload);
  announce();
  addEventListener("beforeunload", guard);
  try {
    const created = await versionFor(client, upload);
    change(upload, { created, stage: "sending" });
    await client.invalidateQueries({ queryKey: keys.modelVersions(modelId) });
    await sendPackage(created, file, {
      onProgress: (progress) => change(upload, { progress }),
      onWaiting: (waiting) => change(upload, { waiting }),
      signal: abort.signal,
    });
    change(upload, { stage: "starting" });
    await startBuild(created.version_id);
    begun.keep(created.version_id, null);
    await client.invalidateQueries({ queryKey: keys.version(created.version_id) });
    await client.invalidateQueries({ queryKey: keys.modelVersions(modelId) });
    if (uploads.get(modelId)?.abort === abort) uploads.delete(modelId);
    announce();
    return created.version_id;
  } catch (error) {
    change(upload, { stage: "failed", error: messageOf(error), waiting: false });
    return null;
  } finally {
    if (![...uploads.values()].some((each) => each.stage !== "failed")) removeEventListener("beforeunload", guard);
  }
}
