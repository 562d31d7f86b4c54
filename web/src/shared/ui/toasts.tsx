import { CheckCircle2, Info, X, XCircle } from "lucide-react";
import { type ReactNode, useSyncExternalStore } from "react";
import { text } from "@/shared/text";

export interface Toast {
  id: number;
  tone: "good" | "bad" | "info";
  title: string;
  line?: string;
  action?: ReactNode;
}

const LIFE_MS = 6_000;
let toasts: Toast[] = [];
let next = 1;
const listeners = new Set<() => void>();

function publish(list: Toast[]) {
  toasts = list;
  for (const listener of listeners) listener();
}

export function dismiss(id: number): void {
  publish(toasts.filter((toast) => toast.id !== id));
}

/** Tell what happened elsewhere; at most four are on the page. */
export function toast(message: Omit<Toast, "id">): void {
  const id = next++;
  publish([...toasts.slice(-3), { ...message, id }]);
  setTimeout(() => dismiss(id), LIFE_MS);
}

const ICON = { good: CheckCircle2, bad: XCircle, info: Info };
const TONE = { good: "text-good", bad: "text-bad", info: "text-running" };

export function Toasts() {
  const list = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => toasts,
  );
  return (
    <div
      role="region"
      aria-label={text.common.notifications}
      aria-live="polite"
      className="pointer-events-none fixed right-4 bottom-20 z-50 grid w-[min(22rem,calc(100vw-2rem))] gap-2 md:bottom-4"
    >
      {list.map((each) => {
        const Icon = ICON[each.tone];
        return (
          <div key={each.id} className="pointer-events-auto flex items-start gap-3 rounded bg-raised p-3 shadow-float">
            <Icon size={18} className={`mt-0.5 shrink-0 ${TONE[each.tone]}`} aria-hidden />
            <div className="min-w-0 flex-1">
              <p className="font-medium break-words">{each.title}</p>
              {each.line && <p className="text-sm break-words text-muted">{each.line}</p>}
              {each.action}
            </div>
            <button
              type="button"
              aria-label={text.common.close}
              onClick={() => dismiss(each.id)}
              className="rounded p-1 text-muted hover:bg-sunken"
            >
              <X size={14} aria-hidden />
            </button>
          </div>
        );
      })}
    </div>
  );
}
