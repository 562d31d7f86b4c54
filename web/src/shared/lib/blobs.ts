/** Read what a signed address points to; throws where it has expired or is gone. */
export async function fetchBlob(url: string, signal?: AbortSignal): Promise<Blob> {
  const response = await fetch(url, { credentials: "omit", ...(signal && { signal }) });
  if (!response.ok) throw new Error(String(response.status));
  return response.blob();
}

export interface Packed {
  name: string;
  url: string;
}

/** Make a ZIP of files in storage, one after the other: the outputs of a job may be large. */
export async function packFiles(files: Packed[]): Promise<Blob> {
  const { Zip, ZipPassThrough } = await import("fflate");
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let failure: Error | null = null;
  const zip = new Zip((error, chunk) => {
    if (error) failure = error;
    else chunks.push(chunk as Uint8Array<ArrayBuffer>);
  });
  for (const file of files) {
    const entry = new ZipPassThrough(file.name);
    zip.add(entry);
    entry.push(new Uint8Array(await (await fetchBlob(file.url)).arrayBuffer()), true);
    if (failure) throw failure as Error;
  }
  zip.end();
  return new Blob(chunks, { type: "application/zip" });
}
