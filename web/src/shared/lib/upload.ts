import { text } from "@/shared/text";
import { ApiError, unreachable } from "@/shared/api/problem";

export interface Progress {
  sent: number;
  total: number;
  /** Bytes a second over the last seconds; null in the first moments. */
  speed: number | null;
  secondsLeft: number | null;
}

/** Speed over a sliding window, so that a stall shows and a burst does not. */
export class SpeedMeter {
  #points: [number, number][] = [];
  constructor(private readonly windowMs = 4_000) {}

  at(sent: number, total: number, now = Date.now()): Progress {
    this.#points.push([now, sent]);
    while (this.#points.length > 2 && now - (this.#points[0]?.[0] ?? now) > this.windowMs) this.#points.shift();
    const [from, before] = this.#points[0] ?? [now, sent];
    const speed = now - from > 300 ? ((sent - before) * 1000) / (now - from) : null;
    return { sent, total, speed, secondsLeft: speed ? Math.max(0, (total - sent) / speed) : null };
  }
}

/** PUT to a presigned URL. XMLHttpRequest, because fetch() tells nothing of what was sent. */
export function put(url: string, body: Blob, onSent: (bytes: number) => void, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open("PUT", url);
    request.upload.onprogress = (event) => onSent(event.loaded);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve();
      else reject(storageError(request.status));
    };
    request.onerror = () => reject(unreachable());
    request.onabort = () => reject(new DOMException("aborted", "AbortError"));
    request.onloadend = () => signal?.removeEventListener("abort", abort);
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) return reject(new DOMException("aborted", "AbortError"));
    // an untyped body: the signature covers no content type
    request.send(body.slice(0, body.size, ""));
  });
}

function storageError(status: number): ApiError {
  if (status === 403) return new ApiError(403, "UPLOAD_EXPIRED", text.errors.uploadExpired);
  if (status === 413) return new ApiError(413, "TOO_LARGE", text.errors.tooLarge);
  return new ApiError(status, "UPLOAD_FAILED", text.errors.storage(status));
}

const waits = [500, 1000, 2000, 4000, 8000, 15_000, 30_000];

/** Try again while the network is away; a browser that says "online" is believed at once. */
export async function persistently<T>(work: () => Promise<T>, signal?: AbortSignal, onWait?: (waiting: boolean) => void): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const result = await work();
      onWait?.(false);
      return result;
    } catch (error) {
      const passing = error instanceof ApiError && error.retryable;
      if (!passing || attempt >= 40 || signal?.aborted) throw error;
      onWait?.(true);
      await pause(waits[Math.min(attempt, waits.length - 1)] ?? 30_000, signal);
    }
  }
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    addEventListener("online", done);
    signal?.addEventListener("abort", done);
  });
}
