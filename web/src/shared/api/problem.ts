import { text as words } from "@/shared/text";
import type { Json } from "./types";

/** What went wrong, in the words of the platform (RFC 9457) or, when it could not be reached, in ours. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly retryAfterS: number | null = null,
    readonly extra: Record<string, Json> = {},
  ) {
    super(detail);
    this.name = "ApiError";
  }

  get retryable(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export function unreachable(): ApiError {
  return new ApiError(0, "UNREACHABLE", words.errors.unreachable);
}

/** Read an error answer; a body that is no problem document still gives a sentence. */
export async function problemOf(response: Response): Promise<ApiError> {
  const retryAfter = Number(response.headers.get("retry-after")) || null;
  let body: Record<string, Json> = {};
  try {
    body = (await response.json()) as Record<string, Json>;
  } catch {
    // an HTML page of a proxy, or nothing: the status has to do
  }
  const text = (key: string) => (typeof body[key] === "string" ? (body[key] as string) : "");
  const detail = text("detail") || text("title") || words.errors.answered(response.status, response.statusText);
  return new ApiError(response.status, text("code") || `HTTP_${response.status}`, detail, retryAfter, body);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
