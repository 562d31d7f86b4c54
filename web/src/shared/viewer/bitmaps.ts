import { useEffect, useState } from "react";

const RASTER = /^image\/(png|jpeg|webp|gif|bmp|avif)$/;
const MAX_SIDE = 8_192;

/** Only raster images are drawn: an SVG or HTML output is offered as a download. */
export function canShow(contentType: string | null | undefined): boolean {
  return RASTER.test(contentType ?? "");
}

async function decode(source: Blob): Promise<ImageBitmap> {
  const bitmap = await createImageBitmap(source, { imageOrientation: "from-image" });
  const side = Math.max(bitmap.width, bitmap.height);
  if (side <= MAX_SIDE) return bitmap;
  // canvases have a limit, and nobody sees more on a screen
  const scale = MAX_SIDE / side;
  const small = await createImageBitmap(bitmap, { resizeWidth: Math.round(bitmap.width * scale), resizeHeight: Math.round(bitmap.height * scale), resizeQuality: "high" });
  bitmap.close();
  return small;
}

export interface Loaded {
  bitmap: ImageBitmap | null;
  failed: boolean;
}

/** Decode a blob or an address; one bitmap is held at a time. */
export function useBitmap(source: Blob | string | null | undefined): Loaded {
  const [state, setState] = useState<Loaded>({ bitmap: null, failed: false });
  // a signed address of the same object differs by its signature only
  const key = typeof source === "string" ? source.split("?")[0] : source;
  useEffect(() => {
    if (!source) {
      setState({ bitmap: null, failed: false });
      return;
    }
    const abort = new AbortController();
    let mine: ImageBitmap | null = null;
    const load = async () => {
      const blob = typeof source === "string" ? await fetchImage(source, abort.signal) : source;
      mine = await decode(blob);
      if (abort.signal.aborted) mine.close();
      else setState({ bitmap: mine, failed: false });
    };
    load().catch(() => {
      if (!abort.signal.aborted) setState({ bitmap: null, failed: true });
    });
    return () => {
      abort.abort();
      mine?.close();
      setState({ bitmap: null, failed: false });
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `key` stands for `source`
  }, [key]);
  return state;
}

export async function fetchImage(url: string, signal?: AbortSignal): Promise<Blob> {
  const response = await fetch(url, { credentials: "omit", ...(signal && { signal }) });
  if (!response.ok) throw new Error(String(response.status));
  return response.blob();
}
