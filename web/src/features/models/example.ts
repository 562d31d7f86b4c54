import type { QueryClient } from "@tanstack/react-query";
import { api } from "@/shared/api/http";
import type { Model, Page } from "@/shared/api/types";
import { keys } from "@/shared/live/cache";
import { text } from "@/shared/text";
import { uploadAndBuild } from "./uploads";

/** The files of example-model/, taken in at build time. */
const files = import.meta.glob<string>("../../../../example-model/**/*", { query: "?url", import: "default", eager: true });
const ROOT = "../../../../example-model/";

export const hasExample = Object.keys(files).some((path) => path === `${ROOT}predict.py`);

async function packageOf(): Promise<Blob> {
  const { zipSync } = await import("fflate");
  const contents: Record<string, Uint8Array> = {};
  for (const [path, url] of Object.entries(files)) {
    contents[path.slice(ROOT.length)] = new Uint8Array(await (await fetch(url)).arrayBuffer());
  }
  return new Blob([zipSync(contents) as Uint8Array<ArrayBuffer>], { type: "application/zip" });
}

/** Create the example model and start its build; `onModel` hears of the model before the upload begins. */
export async function deployExample(client: QueryClient, onModel: (model: Model) => void): Promise<void> {
  const model = await api.post<Model>("/api/models/", {
    name: text.models.exampleName,
    description: text.models.exampleDescription,
    is_public: false,
  });
  client.setQueryData<Page<Model>>(keys.models, (old) => old && { ...old, items: [model, ...old.items] });
  const zip = await packageOf();
  onModel(model);
  await uploadAndBuild(client, model.id, "1.0.0", zip);
}
