/** ANSI colours of a log line as spans; other escapes are dropped, and a carriage return starts the line afresh. */
export interface Span {
  text: string;
  /** 0 to 15 of the terminal palette, or null. */
  colour: number | null;
  bold: boolean;
}

// eslint-disable-next-line no-control-regex
const ESCAPE = /\u001b(?:\[([0-9;?]*)([A-Za-z])|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;

export function stripAnsi(line: string): string {
  return line.includes("\u001b") ? line.replace(ESCAPE, "") : line;
}

/** What a terminal would show of a line with progress bars: the last redraw. */
export function lastRedraw(line: string): string {
  if (!line.includes("\r")) return line;
  const parts = line.split("\r").filter(Boolean);
  return parts[parts.length - 1] ?? "";
}

export function spans(raw: string): Span[] {
  const line = lastRedraw(raw);
  if (!line.includes("\u001b")) return [{ text: line, colour: null, bold: false }];
  const result: Span[] = [];
  let [colour, bold, at]: [number | null, boolean, number] = [null, false, 0];
  const push = (text: string) => {
    if (text) result.push({ text, colour, bold });
  };
  for (const match of line.matchAll(ESCAPE)) {
    push(line.slice(at, match.index));
    at = match.index + match[0].length;
    if (match[2] !== "m") continue;
    for (const code of (match[1] || "0").split(";").map(Number)) {
      if (code === 0) [colour, bold] = [null, false];
      else if (code === 1) bold = true;
      else if (code === 22) bold = false;
      else if (code === 39) colour = null;
      else if (code >= 30 && code <= 37) colour = code - 30;
      else if (code >= 90 && code <= 97) colour = code - 82;
    }
  }
  push(line.slice(at));
  return result;
}
