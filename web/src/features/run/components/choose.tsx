import { useQueries, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ArrowRight, Play } from "lucide-react";
import { ExampleButton } from "@/features/models/components/example-offer";
import { modelsQuery, modelVersionsQuery } from "@/shared/api/queries";
import type { Version } from "@/shared/api/types";
import { text } from "@/shared/text";
import { Button, buttonClass } from "@/shared/ui/button";
import { Select } from "@/shared/ui/field";
import { Empty, ErrorNote, SkeletonRows } from "@/shared/ui/misc";

export interface Choice {
  loading: boolean;
  error: unknown;
  options: { id: string; name: string; versions: Version[] }[];
  modelId: string | undefined;
  modelName: string;
  version: Version | undefined;
}

/** Models that have a version to run, and which one is chosen. */
export function useChoice(modelId: string | undefined, versionId: string | undefined): Choice {
  const models = useQuery(modelsQuery);
  const all = models.data?.items.slice(0, 100) ?? [];
  const versions = useQueries({ queries: all.map((model) => modelVersionsQuery(model.id)) });
  const options = all
    .map((model, i) => ({ id: model.id, name: model.name, versions: (versions[i]?.data?.items ?? []).filter((each) => each.status === "READY") }))
    .filter((model) => model.versions.length);
  const owner = options.find((model) => model.versions.some((each) => each.id === versionId)) ?? options.find((model) => model.id === modelId) ?? options[0];
  return {
    loading: models.isLoading || versions.some((each) => each.isLoading),
    error: models.error,
    options,
    modelId: owner?.id,
    modelName: owner?.name ?? "",
    version: owner?.versions.find((each) => each.id === versionId) ?? owner?.versions[0],
  };
}

export function ChooseVersion({ choice, onChange, onNext }: { choice: Choice; onChange: (model: string | undefined, version?: string) => void; onNext: () => void }) {
  if (choice.error) return <ErrorNote error={choice.error} />;
  if (choice.loading) return <SkeletonRows count={3} className="h-14 max-w-md" />;
  if (!choice.options.length) {
    return (
      <Empty icon={<Play aria-hidden />} title={text.run.noReady} line={text.run.noReadyLine}>
        <div className="flex flex-wrap justify-center gap-2">
          <ExampleButton />
          <Link to="/models" search={{}} className={buttonClass("plain")}>
            {text.run.toModels}
          </Link>
        </div>
      </Empty>
    );
  }
  const owner = choice.options.find((each) => each.id === choice.modelId);
  return (
    <form
      className="grid max-w-md gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        if (choice.version) onChange(choice.modelId, choice.version.id);
        onNext();
      }}
    >
      <Select label={text.run.model} value={choice.modelId} onChange={(event) => onChange(event.target.value)}>
        {choice.options.map((each) => (
          <option key={each.id} value={each.id}>
            {each.name}
          </option>
        ))}
      </Select>
      <Select label={text.run.version} value={choice.version?.id} onChange={(event) => onChange(choice.modelId, event.target.value)}>
        {owner?.versions.map((each) => (
          <option key={each.id} value={each.id}>
            {each.version_number}
          </option>
        ))}
      </Select>
      <Button type="submit" kind="primary" className="justify-self-start">
        {text.run.next}
        <ArrowRight size={15} aria-hidden />
      </Button>
    </form>
  );
}
