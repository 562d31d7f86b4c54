import { useEffect, useState } from "react";
import { fetchBlob } from "@/shared/lib/blobs";

const RASTER = /^image\/(png|jpeg|webp|gif|bmp|avif)$/;
const MAX_SIDE = 8_192;

/** Only raster images are drawn: an SVG or HTML output is offered as a download. */
export function canShow(contentType: string | null | undefined): boolean {
  return RASTER.test(contentType ?? "");
}

/** An image to draw, and its size before it was made fit for a canvas: coordinates of a result count in that one. */
export interface Picture {
  bitmap: ImageBitmap;
  width: number;
  height: number;
}

/** The raster outputs, the one that says most first: a label map or a small mask is rarely what one looks for. */
export function pictures<T extends { content_type: string; size: number }>(outputs: readonly T[]): T[] {
  return outputs.filter((output) => canShow(output.content_type)).sort((a, b) => b.size - a.size);
}

async function decode(source: Blob, asStored: boolean): Promise<Picture> {
  const bitmap = await createImageBitmap(source, { imageOrientation: asStored ? "none" : "from-image" });
  const { width, height } = bitmap;
  const side = Math.max(width, height);
  if (side <= MAX_SIDE) return { bitmap, width, height };
  // canvases have a limit, and nobody sees more on a screen
  const scale = MAX_SIDE / side;
  const small = await createImageBitmap(bitmap, { resizeWidth: Math.round(bitmap.width * scale), resizeHeight: Math.round(bitmap.height * scale), resizeQuality: "high" });
  bitmap.close();
  return { bitmap: small, width, height };
}

export interface Loaded {
  picture: Picture | null;
  failed: boolean;
}

interface Options {
  /** Leave out the camera's orientation: the pixels as a model reads them. */
  asStored?: boolean;
  /** Another number reads the same address again. */
  attempt?: number;
}

/** Decode a blob or an address; one bitmap is held at a time. */
export function useBitmap(source: Blob | string | null | undefined, { asStored = false, attempt = 0 }: Options = {}): Loaded {
  const [state, setState] = useState<Loaded>({ picture: null, failed: false });
  // a signed address of the same object differs by its signature only
  const key = typeof source === "string" ? source.split("?")[0] : source;
  useEffect(() => {
    if (!source) {
      setState({ picture: null, failed: false });
      return;
    }
    const abort = new AbortController();
    let mine: Picture | null = null;
    const load = async () => {
      const blob = typeof source === "string" ? await fetchBlob(source, abort.signal) : source;
      mine = await decode(blob, asStored);
      if (abort.signal.aborted) mine.bitmap.close();
      else setState({ picture: mine, failed: false });
    };
    load().catch(() => {
      if (!abort.signal.aborted) setState({ picture: null, failed: true });
    });
    return () => {
      abort.abort();
      mine?.bitmap.close();
      setState({ picture: null, failed: false });
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `key` stands for `source`
  }, [key, asStored, attempt]);
  return state;
}
