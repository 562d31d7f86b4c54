import { ChevronRight } from "lucide-react";
import { useState } from "react";
import type { Json } from "@/shared/api/types";
import { text } from "@/shared/text";

const PAGE = 100;

/** JSON as a tree that opens; a long list shows a hundred at a time. */
export function JsonTree({ value, name, depth = 0 }: { value: Json; name?: string; depth?: number }) {
  const branch = typeof value === "object" && value !== null;
  const entries: [string, Json][] = branch ? (Array.isArray(value) ? value.map((each, i) => [String(i), each]) : Object.entries(value)) : [];
  const [open, setOpen] = useState(depth < 2 && entries.length <= 20);
  const [shown, setShown] = useState(PAGE);
  const label = name !== undefined && <span className="text-muted">{name}</span>;
  if (!branch) {
    return (
      <div className="flex gap-2 py-0.5 pl-5 font-mono text-sm">
        {label}
        <span className={`min-w-0 break-words whitespace-pre-wrap ${typeof value === "string" ? "text-good" : typeof value === "number" ? "text-running" : "text-warn"}`}>
          {JSON.stringify(value)}
        </span>
      </div>
    );
  }
  const flat = Array.isArray(value) && value.length <= 8 && value.every((each) => typeof each === "number");
  if (flat) {
    return (
      <div className="flex gap-2 py-0.5 pl-5 font-mono text-sm">
        {label}
        <span className="min-w-0 break-words text-running">[{(value as number[]).join(", ")}]</span>
      </div>
    );
  }
  return (
    <div>
      <button
        type="button"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
        className="flex w-full items-center gap-1 rounded py-0.5 text-left font-mono text-sm hover:bg-sunken max-md:py-1.5"
      >
        <ChevronRight size={14} aria-hidden className={`shrink-0 text-muted transition-transform ${open ? "rotate-90" : ""}`} />
        {label || <span className="text-muted">{Array.isArray(value) ? "[ ]" : "{ }"}</span>}
        <span className="text-xs text-muted">{Array.isArray(value) ? text.run.tree.items(entries.length) : text.run.tree.keys(entries.length)}</span>
      </button>
      {open && (
        <div className="ml-1.5 border-l border-line pl-2.5">
          {entries.slice(0, shown).map(([key, each]) => (
            <JsonTree key={key} value={each} name={key} depth={depth + 1} />
          ))}
          {entries.length > shown && (
            <button type="button" className="py-1 pl-5 text-sm text-accent" onClick={() => setShown(shown + PAGE * 5)}>
              {text.run.tree.more(entries.length - shown)}
            </button>
          )}
        </div>
      )}
    </div>
  );
}
