import { Check, Circle, LoaderCircle, X } from "lucide-react";
import type { Phase, Version } from "@/shared/api/types";
import { duration } from "@/shared/lib/format";
import { text } from "@/shared/text";
import { useElapsed } from "@/shared/ui/misc";

const USUAL = ["fetch", "check", "resolve", "dependencies", "image", "smoke_test", "push"];
type State = "done" | "now" | "failed" | "later";

/** The steps a version goes through, each with how long it took. */
export function Stepper({ version }: { version: Version }) {
  const phases = version.phases ?? [];
  const names = [...USUAL];
  if (phases.some((phase) => phase.name === "weights")) names.splice(4, 0, "weights");
  const ended = ["READY", "FAILED", "CANCELED"].includes(version.status);
  const last = phases[phases.length - 1]?.name;
  const arrived = version.status !== "UPLOADING";
  const steps: [string, State, Phase | undefined][] = names.map((name) => {
    const phase = phases.find((each) => each.name === name);
    if (version.status === "READY") return [name, "done", phase];
    if (!phase) return [name, "later", phase];
    if (name === last) return [name, ended ? "failed" : phase.ms === null ? "now" : "done", phase];
    return [name, "done", phase];
  });
  return (
    <ol aria-label={text.models.phasesLabel} className="grid grid-cols-2 gap-x-2 gap-y-3 sm:grid-cols-4 xl:flex">
      <Step name="upload" state={arrived ? "done" : ended ? "failed" : "now"} phase={undefined} />
      {steps.map(([name, state, phase]) => (
        <Step key={name} name={name} state={state} phase={phase} />
      ))}
    </ol>
  );
}

const LOOK = {
  done: ["border-good", "text-good", Check],
  now: ["border-running", "text-running", LoaderCircle],
  failed: ["border-bad", "text-bad", X],
  later: ["border-line", "text-muted", Circle],
} as const;

function Step({ name, state, phase }: { name: string; state: State; phase: Phase | undefined }) {
  const elapsed = useElapsed(phase?.started_at, state === "now");
  const [border, tone, Icon] = LOOK[state];
  const ms = phase?.ms ?? (state === "now" ? elapsed : null);
  return (
    <li aria-current={state === "now" ? "step" : undefined} className={`min-w-0 flex-1 border-t-2 pt-2 transition-colors ${border}`}>
      <span className={`flex items-center gap-1 text-xs font-medium ${tone}`}>
        <Icon size={13} aria-hidden className={`shrink-0 ${state === "now" ? "animate-spin" : ""}`} />
        <span className={`truncate ${state === "later" ? "" : "text-text"}`}>{text.models.phases[name] ?? name}</span>
      </span>
      <span className="block h-4 text-xs text-muted tnum">{ms === null ? " " : duration(ms)}</span>
    </li>
  );
}
