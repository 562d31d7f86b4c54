import { useSyncExternalStore } from "react";

// beside the navigation a table of seven columns has room from here on (Tailwind's lg)
const query = typeof matchMedia === "undefined" ? null : matchMedia("(max-width: 1023.98px)");

/** Is there no room for a wide table? For what is costly to make twice and hide once. */
export function useNarrow(): boolean {
  return useSyncExternalStore(
    (listener) => {
      query?.addEventListener("change", listener);
      return () => query?.removeEventListener("change", listener);
    },
    () => query?.matches ?? false,
  );
}
