import { text } from "@/shared/text";
import { CopyButton } from "./misc";

export function Code({ code, label }: { code: string; label: string }) {
  return (
    <figure className="overflow-hidden rounded border border-line bg-code text-code-text">
      <figcaption className="flex items-center justify-between border-b border-white/10 py-1 pr-3 pl-3 text-xs text-code-muted">
        {label}
        <CopyButton value={code} label={text.common.copy} />
      </figcaption>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scroll area must be reachable by keyboard */}
      <pre tabIndex={0} className="overflow-x-auto p-3 text-sm leading-relaxed">
        {code}
      </pre>
    </figure>
  );
}
