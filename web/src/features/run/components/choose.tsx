import { useQueries, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ArrowRight, Play } from "lucide-react";
import { ExampleButton } from "@/features/models/components/example-offer";
import { meQuery, modelsQuery, modelVersionsQuery, versionQuery } from "@/shared/api/queries";
import type { Model, Version } from "@/shared/api/types";
import { text } from "@/shared/text";
import { Button, buttonClass } from "@/shared/ui/button";
import { Select } from "@/shared/ui/field";
import { Empty, ErrorNote, SkeletonRows } from "@/shared/ui/misc";

export interface Choice {
  loading: boolean;
  error: unknown;
  models: Model[];
  modelId: string | undefined;
  modelName: string;
  /** Versions of the chosen model that can run. */
  versions: Version[];
  version: Version | undefined;
}

/** Models looked at for one that can run, when the address names none. */
const PROBED = 12;

/** Which version runs: the one the address names, else the newest that is ready. */
export function useChoice(modelId: string | undefined, versionId: string | undefined): Choice {
  const me = useQuery(meQuery);
  const models = useQuery(modelsQuery);
  const named = useQuery({ ...versionQuery(versionId ?? ""), enabled: Boolean(versionId) && !modelId });
  const wanted = modelId ?? named.data?.model_id;
  const mine = (model: Model) => Number(model.owner_id === me.data?.id);
  const sorted = [...(models.data?.items ?? [])].sort((a, b) => mine(b) - mine(a));
  const undecided = !wanted && !(versionId && named.isLoading);
  const looked = wanted ? [wanted] : undecided ? sorted.slice(0, PROBED).map((model) => model.id) : [];
  const found = useQueries({ queries: looked.map((id) => modelVersionsQuery(id)) });
  const ready = found.map((each) => (each.data?.items ?? []).filter((version) => version.status === "READY"));
  const at = Math.max(0, ready.findIndex((each) => each.length > 0));
  const versions = ready[at] ?? [];
  const model = sorted.find((each) => each.id === looked[at]);
  return {
    loading: models.isLoading || me.isLoading || named.isLoading || found.some((each) => each.isLoading),
    error: models.error ?? named.error ?? found[at]?.error,
    models: sorted,
    modelId: model?.id,
    modelName: model?.name ?? "",
    versions,
    version: versions.find((each) => each.id === versionId) ?? versions[0],
  };
}

interface ChooseProps {
  choice: Choice;
  onChange: (model: string | undefined, version?: string) => void;
  onNext: () => void;
}

export function ChooseVersion({ choice, onChange, onNext }: ChooseProps) {
  if (choice.error) return <ErrorNote error={choice.error} />;
  if (choice.loading && !choice.modelId) return <SkeletonRows count={3} className="h-14 max-w-md" />;
  if (!choice.modelId || (choice.models.length === 1 && !choice.versions.length && !choice.loading)) {
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
  const none = !choice.loading && !choice.versions.length;
  return (
    <form
      className="grid max-w-md gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        if (!choice.version) return;
        onChange(choice.modelId, choice.version.id);
        onNext();
      }}
    >
      <Select label={text.run.model} value={choice.modelId} onChange={(event) => onChange(event.target.value)}>
        {choice.models.map((each) => (
          <option key={each.id} value={each.id}>
            {each.name}
          </option>
        ))}
      </Select>
      <Select label={text.run.version} value={choice.version?.id ?? ""} disabled={none} onChange={(event) => onChange(choice.modelId, event.target.value)}>
        {none && <option value="">{text.run.noneReady}</option>}
        {choice.versions.map((each) => (
          <option key={each.id} value={each.id}>
            {each.version_number}
          </option>
        ))}
      </Select>
      <Button type="submit" kind="primary" className="justify-self-start" disabled={!choice.version}>
        {text.run.next}
        <ArrowRight size={15} aria-hidden />
      </Button>
    </form>
  );
}
