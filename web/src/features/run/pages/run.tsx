import { useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import type { Json } from "@/shared/api/types";
import { text } from "@/shared/text";
import { ErrorNote, PageHead, SkeletonRows } from "@/shared/ui/misc";
import { ChooseVersion, useChoice } from "../components/choose";
import { ChooseImages } from "../components/images";
import { Results } from "../components/results";
import { type Step, Steps } from "../components/steps";
import { type Item, LINKED_MAX, useRun } from "../items";
import { sampleImage } from "../sample";

/** Choose a version, choose images, see results. Each step has an address; that of the results names their jobs. */
export function RunPage() {
  const search = useSearch({ from: "/inside/run" });
  const navigate = useNavigate({ from: "/run" });
  const linked = search.jobs ? search.jobs.split(",") : [];
  const run = useRun(linked);
  const [step, setStep] = useState<Step>(linked.length ? "results" : search.version ? "images" : "choose");
  const [params, setParams] = useState<Record<string, Json> | null>(null);
  const [shown, setShown] = useState<number | null>(null);
  const choice = useChoice(search.model, search.version);
  const chosen = choice.version;
  const address = { ...(choice.modelId && { model: choice.modelId }), ...(chosen && { version: chosen.id }) };

  // Back, Forward and the navigation's own link change the address; the step follows it
  const before = useRef({ jobs: search.jobs, version: search.version });
  useEffect(() => {
    const was = before.current;
    before.current = { jobs: search.jobs, version: search.version };
    if (search.jobs !== was.jobs) setStep(search.jobs ? "results" : search.version ? "images" : "choose");
    else if (was.version && !search.version) setStep("choose");
  }, [search.jobs, search.version]);

  const { add } = run;
  const sampled = useRef(false);
  useEffect(() => {
    if (!search.sample || sampled.current) return;
    sampled.current = true;
    void sampleImage().then((file) => add([file]));
  }, [search.sample, add]);

  const start = async (list: Item[], given: Record<string, Json> | null) => {
    if (!chosen) return;
    setStep("results");
    setShown(list[0]?.key ?? null);
    const jobs = await run.start(list, chosen.id, given);
    if (location.pathname !== "/run" || !jobs.length || jobs.length > LINKED_MAX) return;
    void navigate({ search: { ...address, jobs: jobs.join() }, replace: true });
  };
  const reset = () => {
    run.clear();
    setShown(null);
    setStep("images");
    void navigate({ search: address });
  };
  return (
    <>
      <PageHead title={text.run.title} />
      <Steps step={step} />
      {step === "choose" && (
        <ChooseVersion
          choice={choice}
          onChange={(model, version) => void navigate({ search: (old) => ({ ...(model && { model }), ...(version && { version }), ...(old.jobs && { jobs: old.jobs }) }), replace: true })}
          onNext={() => setStep("images")}
        />
      )}
      {step === "images" &&
        (choice.error ? (
          <ErrorNote error={choice.error} />
        ) : choice.loading ? (
          <SkeletonRows count={2} className="h-40 max-w-3xl" />
        ) : !chosen ? (
          <ChooseVersion choice={choice} onChange={() => undefined} onNext={() => undefined} />
        ) : (
          <ChooseImages
            run={run}
            modelName={choice.modelName}
            version={chosen.version_number}
            ready={Boolean(chosen)}
            onBack={() => setStep("choose")}
            onStart={(given) => {
              setParams(given);
              void start(run.items, given);
            }}
          />
        ))}
      {step === "results" && (
        <Results
          items={run.items}
          shown={shown}
          onShow={setShown}
          onRetry={(item) => void start([item], params)}
          onReset={reset}
          onAgain={() => void start(run.items, params)}
          onOther={() => setStep("choose")}
        />
      )}
    </>
  );
}
