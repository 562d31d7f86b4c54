import { problemOf, unreachable } from "./problem";
import { session } from "./session";

interface Options {
  body?: unknown;
  query?: Record<string, string | number | boolean | null | undefined>;
  signal?: AbortSignal;
  /** Login and registration go out without a token. */
  anonymous?: boolean;
}

async function send(method: string, path: string, options: Options, token: string | null): Promise<Response> {
  const url = new URL(path, location.origin);
  for (const [key, value] of Object.entries(options.query ?? {})) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(key, String(value));
  }
  const headers: Record<string, string> = { accept: "application/json" };
  if (options.body !== undefined) headers["content-type"] = "application/json";
  if (token) headers.authorization = `Bearer ${token}`;
  try {
    return await fetch(url, {
      method,
      headers,
      credentials: "same-origin",
      ...(options.signal && { signal: options.signal }),
      ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw unreachable();
  }
}

async function answer(method: string, path: string, options: Options): Promise<Response> {
  const token = options.anonymous ? null : await session.token();
  let response = await send(method, path, options, token);
  if (response.status === 401 && !options.anonymous) {
    const fresh = await session.refresh(token);
    if (fresh) response = await send(method, path, options, fresh);
    else session.end();
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

/** Call the API and read JSON; throws ApiError. A 401 refreshes the token once and asks again. */
export async function call<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const response = await answer(method, path, options);
  const text = await response.text();
  return (text ? JSON.parse(text) : null) as T;
}

/** Call the API and read text (logs). */
export async function callText(path: string, signal?: AbortSignal): Promise<string> {
  return (await answer("GET", path, signal ? { signal } : {})).text();
}

export const api = {
  get: <T>(path: string, query?: Options["query"], signal?: AbortSignal) =>
    call<T>("GET", path, { ...(query && { query }), ...(signal && { signal }) }),
  post: <T>(path: string, body: unknown = {}) => call<T>("POST", path, { body }),
  patch: <T>(path: string, body: unknown) => call<T>("PATCH", path, { body }),
  delete: <T = null>(path: string) => call<T>("DELETE", path),
};
