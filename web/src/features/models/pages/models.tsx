import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { Boxes, Plus, SearchX } from "lucide-react";
import { meQuery, modelsQuery } from "@/shared/api/queries";
import { text } from "@/shared/text";
import { Button } from "@/shared/ui/button";
import { BareInput } from "@/shared/ui/field";
import { Empty, ErrorNote, PageHead, Skeleton } from "@/shared/ui/misc";
import { CreateModel } from "../components/create-model";
import { ExampleButton } from "../components/example-offer";
import { ModelCard } from "../components/model-card";

const SHOWS = [
  ["mine", text.models.mine],
  ["public", text.models.publicOnes],
  ["all", text.models.all],
] as const;

export function ModelsPage() {
  const search = useSearch({ from: "/inside/models" });
  const navigate = useNavigate({ from: "/models" });
  const me = useQuery(meQuery);
  const models = useQuery(modelsQuery);
  const show = search.show ?? "mine";
  const query = (search.q ?? "").toLowerCase();
  const inShow = (models.data?.items ?? []).filter((model) =>
    show === "mine" ? model.owner_id === me.data?.id : show === "public" ? model.is_public : true,
  );
  const found = inShow.filter((model) => `${model.name} ${model.description}`.toLowerCase().includes(query));
  const create = () => void navigate({ search: (old) => ({ ...old, create: true }) });
  return (
    <>
      <PageHead
        title={text.models.title}
        aside={
          <Button kind="primary" icon={<Plus size={16} aria-hidden />} onClick={create}>
            {text.models.create}
          </Button>
        }
      />
      <div className="mb-5 flex flex-wrap gap-3">
        <BareInput
          label={text.models.search}
          placeholder={text.models.search}
          type="search"
          className="min-w-48 flex-1"
          defaultValue={search.q ?? ""}
          onChange={(event) => void navigate({ search: (old) => ({ ...old, q: event.target.value }), replace: true })}
        />
        <div role="group" aria-label={text.models.title} className="flex rounded border border-line-strong bg-raised p-0.5">
          {SHOWS.map(([id, label]) => (
            <button
              key={id}
              type="button"
              aria-pressed={show === id}
              onClick={() => void navigate({ search: (old) => ({ ...old, show: id }), replace: true })}
              className="rounded-md px-3 text-sm font-medium text-muted aria-pressed:bg-accent-soft aria-pressed:text-accent max-md:h-10"
            >
              {label}
            </button>
          ))}
        </div>
      </div>
      {models.error ? (
        <ErrorNote error={models.error} retry={() => void models.refetch()} />
      ) : models.isLoading || me.isLoading ? (
        <Grid>
          {[0, 1, 2, 3, 4, 5].map((i) => (
            <Skeleton key={i} className="h-40" />
          ))}
        </Grid>
      ) : found.length ? (
        <Grid>
          {found.map((model) => (
            <ModelCard key={model.id} model={model} />
          ))}
        </Grid>
      ) : inShow.length || query ? (
        <Empty icon={<SearchX aria-hidden />} title={text.models.noMatch} line={text.models.noMatchLine}>
          <Button onClick={() => void navigate({ search: { show: "all" } })}>{text.models.clearSearch}</Button>
        </Empty>
      ) : (
        <Empty icon={<Boxes aria-hidden />} title={text.models.empty} line={text.models.emptyLine}>
          <div className="flex flex-wrap justify-center gap-2">
            <ExampleButton />
            <Button onClick={create}>{text.models.create}</Button>
          </div>
        </Empty>
      )}
      <CreateModel open={search.create ?? false} onClose={() => void navigate({ search: ({ q, show: kept }) => ({ ...(q && { q }), ...(kept && { show: kept }) }), replace: true })} />
    </>
  );
}

function Grid({ children }: { children: React.ReactNode }) {
  return <div className="grid gap-4 sm:grid-cols-2 xl:grid-cols-3">{children}</div>;
}
