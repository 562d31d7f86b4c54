import { api } from "@/shared/api/http";
import { ApiError } from "@/shared/api/problem";
import type { PartsOffer, VersionUpload } from "@/shared/api/types";
import { type Progress, SpeedMeter, persistently, put } from "@/shared/lib/upload";

export interface Created {
  version_id: string;
  /** Null for an upload that goes on: parts get their own addresses. */
  upload_url: string | null;
}

const MULTIPART_FROM = 64 * 1024 ** 2;
const PART_BYTES = 16 * 1024 ** 2;
/** Rounds of addresses that expired before a single part went through. */
const STALLED_MAX = 3;

export const createVersion = (modelId: string, number: string) =>
  api.post<VersionUpload>("/api/models/versions", { model_id: modelId, version_number: number });

export const startBuild = (versionId: string) => api.post(`/api/models/versions/${versionId}/build`);

interface Hooks {
  onProgress: (progress: Progress) => void;
  onWaiting: (waiting: boolean) => void;
  signal: AbortSignal;
}

const expired = (error: unknown) => error instanceof ApiError && error.code === "UPLOAD_EXPIRED";

/** Send the package. Large ones go in parts: after a lost connection only what has not arrived is sent again. */
export async function sendPackage(created: Created, file: Blob, hooks: Hooks): Promise<void> {
  const meter = new SpeedMeter();
  const tell = (sent: number) => hooks.onProgress(meter.at(sent, file.size));
  tell(0);
  const url = created.upload_url;
  if (url === null || file.size >= MULTIPART_FROM) await sendParts(created.version_id, file, tell, hooks);
  else {
    try {
      await persistently(() => put(url, file, tell, hooks.signal), hooks.signal, hooks.onWaiting);
    } catch (error) {
      if (!expired(error)) throw error;
      await sendParts(created.version_id, file, tell, hooks);
    }
  }
  tell(file.size);
}

/** Ask which parts are missing, send them, ask again until none is; then join them. */
async function sendParts(versionId: string, file: Blob, tell: (sent: number) => void, hooks: Hooks): Promise<void> {
  const path = `/api/models/versions/${versionId}/parts`;
  const wait = <T>(work: () => Promise<T>) => persistently(work, hooks.signal, hooks.onWaiting);
  for (let stalled = 0; ; ) {
    const offer = await wait(() => api.post<PartsOffer>(path, { size: file.size, part_size: PART_BYTES }));
    if (!offer.parts.length) break;
    const before = offer.uploaded.reduce((sum, part) => sum + part.size, 0);
    let sent = before;
    tell(sent);
    try {
      for (const part of offer.parts) {
        const body = file.slice((part.number - 1) * offer.part_size, part.number * offer.part_size);
        await wait(() => put(part.url, body, (n) => tell(sent + n), hooks.signal));
        sent += body.size;
        tell(sent);
      }
      stalled = 0;
    } catch (error) {
      // addresses live a quarter of an hour, and a slow line may need longer for all of them
      stalled = sent > before ? 0 : stalled + 1;
      if (!expired(error) || stalled >= STALLED_MAX) throw error;
    }
  }
  await wait(() => api.post(`${path}/complete`));
}

/**
 * Tell one package from another without reading two gigabytes: the end of a ZIP lists every file with its checksum.
 * FNV-1a, since Web Crypto is missing on plain http.
 */
export async function fingerprint(file: Blob): Promise<string> {
  let hash = 0x811c9dc5;
  for (const piece of [file.slice(0, 65_536), file.slice(Math.max(0, file.size - 262_144))]) {
    for (const byte of new Uint8Array(await piece.arrayBuffer())) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return `${file.size}-${hash.toString(16)}`;
}

const KEY = "clinai.upload.";

/** Which package a version's unfinished upload was of, as this browser knows; survives a reload. */
export const begun = {
  of(versionId: string): string | null {
    try {
      return localStorage.getItem(KEY + versionId);
    } catch {
      return null;
    }
  },
  keep(versionId: string, print: string | null): void {
    try {
      if (print === null) localStorage.removeItem(KEY + versionId);
      else localStorage.setItem(KEY + versionId, print);
    } catch {
      // private mode: an upload cannot go on after a reload
    }
  },
};
