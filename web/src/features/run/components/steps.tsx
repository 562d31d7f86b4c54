import { text } from "@/shared/text";

export type Step = keyof typeof text.run.steps;

export function Steps({ step }: { step: Step }) {
  const names = Object.entries(text.run.steps);
  const at = names.findIndex(([id]) => id === step);
  return (
    <ol aria-label={text.run.stepsLabel} className="mb-6 flex gap-2">
      {names.map(([id, label], i) => (
        <li key={id} aria-current={i === at ? "step" : undefined} className={`flex-1 border-t-2 pt-2 text-sm ${i <= at ? "border-accent font-medium" : "border-line text-muted"}`}>
          <span className="mr-1.5 text-muted tnum">{i + 1}</span>
          {label}
        </li>
      ))}
    </ol>
  );
}
