import { XCircle } from "lucide-react";
import { text } from "@/shared/text";

/** Code, offending line, meaning and cure of a failure. */
export function Failure({ code, message, title }: { code: string; message: string; title: string }) {
  const known = text.codes[code];
  return (
    <section role="alert" className="grid gap-2 rounded border border-bad/40 bg-bad-soft p-4">
      <div className="flex flex-wrap items-center gap-2">
        <XCircle size={17} className="text-bad" aria-hidden />
        <h3 className="font-semibold">{title}</h3>
        <code className="rounded bg-raised px-1.5 py-0.5 text-xs">{code}</code>
      </div>
      {known && <p>{known.meaning}</p>}
      {message && <pre className="overflow-x-auto rounded bg-raised p-3 text-sm whitespace-pre-wrap">{message}</pre>}
      {known && (
        <p className="text-sm">
          <strong className="font-semibold">{text.models.whatToDo}: </strong>
          {known.cure}
        </p>
      )}
    </section>
  );
}
