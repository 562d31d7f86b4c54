import { api } from "@/shared/api/http";
import { type Progress, SpeedMeter, persistently, put } from "@/shared/lib/upload";

export interface Created {
  version_id: string;
  upload_url: string;
}

interface Parts {
  part_size: number;
  parts: { number: number; url: string }[];
  uploaded?: { number: number; size: number; etag: string }[];
}

const MULTIPART_FROM = 64 * 1024 ** 2;
const PART_BYTES = 16 * 1024 ** 2;
const URLS_AT_ONCE = 20;

export const createVersion = (modelId: string, number: string) =>
  api.post<Created>("/api/models/versions", { model_id: modelId, version_number: number });

export const startBuild = (versionId: string) => api.post(`/api/models/versions/${versionId}/build`);

interface Hooks {
  onProgress: (progress: Progress) => void;
  onWaiting: (waiting: boolean) => void;
  signal: AbortSignal;
}

/** Send the package. Large ones go in parts: after a lost connection only what has not arrived is sent again. */
export async function sendPackage(created: Created, file: Blob, hooks: Hooks): Promise<void> {
  const meter = new SpeedMeter();
  const tell = (sent: number) => hooks.onProgress(meter.at(sent, file.size));
  tell(0);
  if (file.size < MULTIPART_FROM) {
    await persistently(() => put(created.upload_url, file, tell, hooks.signal), hooks.signal, hooks.onWaiting);
  } else {
    await sendParts(created.version_id, file, tell, hooks);
  }
  tell(file.size);
}

async function sendParts(versionId: string, file: Blob, tell: (sent: number) => void, hooks: Hooks): Promise<void> {
  const count = Math.ceil(file.size / PART_BYTES);
  const path = `/api/models/versions/${versionId}/parts`;
  const wait = <T>(work: () => Promise<T>) => persistently(work, hooks.signal, hooks.onWaiting);
  let sent = 0;
  for (let first = 1; first <= count; first += URLS_AT_ONCE) {
    const numbers = Array.from({ length: Math.min(URLS_AT_ONCE, count - first + 1) }, (_, i) => first + i);
    const answer = await wait(() => api.post<Parts>(path, { numbers, size: file.size, part_size: PART_BYTES }));
    const there = new Set(answer.uploaded?.map((part) => part.number));
    for (const part of answer.parts) {
      const body = file.slice((part.number - 1) * PART_BYTES, part.number * PART_BYTES);
      if (!there.has(part.number)) await wait(() => put(part.url, body, (n) => tell(sent + n), hooks.signal));
      sent += body.size;
      tell(sent);
    }
  }
  await wait(() => api.post(`${path}/complete`));
}
