import { QueryClient } from "@tanstack/react-query";
import { ApiError } from "@/shared/api/problem";
import { keepNewer } from "@/shared/live/cache";

/** Nothing polls: the socket keeps objects fresh, and coming back to a page reads it again when it is old. */
export const queries = new QueryClient({
  defaultOptions: {
    // a browser that says it is offline may be wrong, and a request that waits in silence says nothing: it fails, and is told
    mutations: { networkMode: "always" },
    queries: {
      networkMode: "always",
      staleTime: 30_000,
      gcTime: 5 * 60_000,
      refetchOnWindowFocus: true,
      structuralSharing: keepNewer,
      retry: (count, error) => count < 3 && error instanceof ApiError && error.retryable,
      retryDelay: (count, error) =>
        error instanceof ApiError && error.retryAfterS ? error.retryAfterS * 1000 : Math.min(500 * 2 ** count, 8000),
    },
  },
});
