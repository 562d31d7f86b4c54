import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ChevronDown, ChevronUp, Download, Pause, Play, Search } from "lucide-react";
import { type KeyboardEvent, memo, useEffect, useMemo, useRef, useState } from "react";
import { spans, stripAnsi } from "@/shared/lib/ansi";
import { saveBlob } from "@/shared/lib/copy";
import { absolute } from "@/shared/lib/format";
import { text } from "@/shared/text";
import { CopyButton } from "./misc";

const PALETTE = [
  "text-code-muted", "text-[#f2857c]", "text-[#7fcf9b]", "text-[#e5b95a]", "text-[#7fb4f5]", "text-[#c79bf0]", "text-[#5cc8c0]", "text-code-text",
  "text-code-muted", "text-[#ff9d95]", "text-[#97e0b0]", "text-[#f2cd7d]", "text-[#9ac6ff]", "text-[#d8b5fa]", "text-[#7fdcd5]", "text-white",
]; // prettier-ignore
const ROW = 20;
const FAULT = /\b(error|exception|traceback|failed|fatal)\b/i;
const HEAD = /^(=+>?|#+|-->|▸)\s/;

const Line = memo(function Line({ line, number, time, mark, gutter }: { line: string; number: number; time: number; mark: boolean; gutter: number }) {
  const fault = FAULT.test(line);
  return (
    <div title={time ? absolute(time) : undefined} className={`flex h-5 ${mark ? "bg-[#4a3b12]" : ""} ${fault ? "border-l-2 border-[#f2857c]" : "border-l-2 border-transparent"}`}>
      <span aria-hidden className="shrink-0 pr-3 pl-2 text-right text-code-muted select-none tnum" style={{ width: `${gutter + 2.5}ch` }}>
        {number}
      </span>
      <span className={`pr-4 whitespace-pre ${fault ? "text-[#ffb4ad]" : HEAD.test(line) ? "font-semibold text-white" : ""}`}>
        {spans(line).map((span, i) => (
          <span key={i} className={`${span.colour === null ? "" : PALETTE[span.colour]} ${span.bold ? "font-semibold" : ""}`}>
            {span.text}
          </span>
        ))}
        {line === "" && " "}
      </span>
    </div>
  );
});

interface Props {
  lines: string[];
  /** When each line came, shown on hover; 0 where nobody knows. */
  times?: number[];
  live: boolean;
  name: string;
  label: string;
  empty: string;
  /** Its height. */
  className?: string;
  /** What it may grow to when all lines are there. */
  most?: string;
}

/** A terminal that follows, until the reader scrolls up; only what is visible is in the page. */
export function LogView({ lines, times, live, name, label, empty, className = "h-96", most = "max-h-96" }: Props) {
  const box = useRef<HTMLDivElement>(null);
  // four lines that are all there will be need no room for forty; a log that was watched keeps its height
  const watched = useRef(live);
  watched.current ||= live;
  const fits = !watched.current && lines.length > 0;
  const [follow, setFollow] = useState(true);
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const rows = useVirtualizer({ count: lines.length, getScrollElement: () => box.current, estimateSize: () => ROW, overscan: 12 });
  const found = useMemo(() => {
    const needle = query.toLowerCase();
    if (needle.length < 2) return [];
    return lines.flatMap((line, i) => (stripAnsi(line).toLowerCase().includes(needle) ? [i] : []));
  }, [lines, query]);
  const current = found.length ? found[at % found.length] : undefined;

  useEffect(() => {
    if (follow && lines.length && !query) rows.scrollToIndex(lines.length - 1, { align: "end" });
  }, [follow, lines.length, rows, query]);
  useEffect(() => {
    if (current !== undefined) rows.scrollToIndex(current, { align: "center" });
  }, [current, rows]);

  const onScroll = () => {
    const element = box.current;
    if (element) setFollow(element.scrollHeight - element.scrollTop - element.clientHeight < ROW * 2);
  };
  const step = (by: number) => setAt((old) => (found.length ? (old + by + found.length) % found.length : 0));
  const onKey = (event: KeyboardEvent) => {
    if (event.key === "Enter") step(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape") setQuery("");
  };
  const whole = () => lines.map(stripAnsi).join("\n") + "\n";
  const gutter = String(lines.length).length;
  const tool = "inline-flex size-7 items-center justify-center rounded text-code-muted hover:bg-white/10 hover:text-white disabled:opacity-40 max-md:size-9";
  return (
    <section aria-label={label} className="relative overflow-hidden rounded border border-line bg-code text-code-text">
      <div className="flex items-center gap-1 border-b border-white/10 py-1 pr-1.5 pl-3">
        <label className="flex min-w-0 flex-1 items-center gap-2">
          <Search size={14} className="shrink-0 text-code-muted" aria-hidden />
          <input
            aria-label={text.models.log.search}
            placeholder={text.models.log.search}
            value={query}
            onChange={(event) => {
              setQuery(event.target.value);
              setAt(0);
            }}
            onKeyDown={onKey}
            className="h-7 w-full min-w-0 bg-transparent text-sm outline-none placeholder:text-code-muted max-md:h-9 max-md:text-lg"
          />
        </label>
        {query.length > 1 && (
          <>
            <span role="status" className="text-xs whitespace-nowrap text-code-muted tnum">
              {text.models.log.matches(found.length ? (at % found.length) + 1 : 0, found.length)}
            </span>
            <button type="button" className={tool} aria-label={text.models.log.previous} onClick={() => step(-1)}>
              <ChevronUp size={15} aria-hidden />
            </button>
            <button type="button" className={tool} aria-label={text.models.log.next} onClick={() => step(1)}>
              <ChevronDown size={15} aria-hidden />
            </button>
          </>
        )}
        <span className="px-1 text-xs whitespace-nowrap text-code-muted tnum max-sm:hidden">{text.models.log.lines(lines.length)}</span>
        {live && (
          <button
            type="button"
            className={tool}
            aria-label={follow ? text.models.log.pause : text.models.log.resume}
            title={follow ? text.models.log.pause : text.models.log.resume}
            onClick={() => setFollow(!follow)}
          >
            {follow ? <Pause size={15} aria-hidden /> : <Play size={15} aria-hidden />}
          </button>
        )}
        <span className="px-1.5 [&_button]:text-code-muted [&_button:hover]:bg-white/10 [&_button:hover]:text-white">
          <CopyButton value={whole} label={text.models.log.copy} />
        </span>
        <button
          type="button"
          className={tool}
          aria-label={text.models.log.download}
          title={text.models.log.download}
          onClick={() => saveBlob(new Blob([whole()], { type: "text/plain" }), name)}
        >
          <Download size={15} aria-hidden />
        </button>
      </div>
      <div
        ref={box}
        onScroll={onScroll}
        role="log"
        aria-label={label}
        aria-live="off"
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scroll area must be reachable by keyboard
        tabIndex={0}
        className={`plain-mono overflow-auto font-mono text-xs leading-5 ${fits ? `py-1 ${most}` : className}`}
      >
        {lines.length === 0 ? (
          <p className="p-4 text-code-muted">{empty}</p>
        ) : (
          <div className="relative min-w-fit" style={{ height: rows.getTotalSize() }}>
            <div className="absolute inset-x-0 top-0" style={{ transform: `translateY(${rows.getVirtualItems()[0]?.start ?? 0}px)` }}>
              {rows.getVirtualItems().map((row) => (
                <Line key={row.key} line={lines[row.index] ?? ""} number={row.index + 1} time={times?.[row.index] ?? 0} mark={row.index === current} gutter={gutter} />
              ))}
            </div>
          </div>
        )}
      </div>
      {!follow && live && (
        <button
          type="button"
          onClick={() => setFollow(true)}
          className="absolute right-4 bottom-4 inline-flex h-8 items-center gap-1.5 rounded-full bg-white px-3 text-sm font-medium text-black shadow-float"
        >
          <ArrowDown size={14} aria-hidden />
          {text.models.log.newest}
        </button>
      )}
    </section>
  );
}
