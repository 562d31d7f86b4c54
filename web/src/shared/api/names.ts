import { useQueries, useQuery } from "@tanstack/react-query";
import { modelsQuery, modelVersionsQuery } from "./queries";

/** "Model 1.0.0" of a version's id, from what the page has read of the user's models. */
export function useVersionNames(): (versionId: string) => string {
  const models = useQuery(modelsQuery);
  const items = models.data?.items.slice(0, 100) ?? [];
  const names = new Map<string, string>();
  const versions = useQueries({ queries: items.map((model) => modelVersionsQuery(model.id)) });
  items.forEach((model, i) => {
    for (const version of versions[i]?.data?.items ?? []) names.set(version.id, `${model.name} ${version.version_number}`);
  });
  return (versionId) => names.get(versionId) ?? "";
}
