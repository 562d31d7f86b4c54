import { useSyncExternalStore } from "react";

// the width below which the navigation moves to the bottom (Tailwind's md)
const query = typeof matchMedia === "undefined" ? null : matchMedia("(max-width: 767.98px)");

/** Is this a phone's width? For what is costly to make twice and hide once. */
export function useNarrow(): boolean {
  return useSyncExternalStore(
    (listener) => {
      query?.addEventListener("change", listener);
      return () => query?.removeEventListener("change", listener);
    },
    () => query?.matches ?? false,
  );
}
