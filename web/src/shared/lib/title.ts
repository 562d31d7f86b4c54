import { useEffect } from "react";
import { text } from "@/shared/text";

/** Name the browser's tab and history entry after the page. */
export function useTitle(title: string | null | undefined): void {
  useEffect(() => {
    document.title = title ? `${title} · ${text.common.product}` : text.common.product;
  }, [title]);
}
