/** Frames of /ws (docs/events.md). */
export interface EventFrame {
  type: "event";
  seq: number;
  event: string;
  id: string;
  time: string;
  data: Record<string, unknown> & { id: string };
}

export interface LogFrame {
  type: "log";
  topic: string;
  seq: number;
  line: string;
}

export type Frame =
  | { type: "ready"; seq: number }
  | { type: "reset"; topic?: string }
  | { type: "error"; code: string; detail: string }
  | { type: "heartbeat" | "ping" }
  | EventFrame
  | LogFrame;
