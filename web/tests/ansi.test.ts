import { expect, it } from "vitest";
import { spans, stripAnsi } from "@/shared/lib/ansi";

it("colours spans and drops other escapes", () => {
  expect(spans("a \u001b[1;31mred\u001b[0m b\u001b[2K")).toEqual([
    { text: "a ", colour: null, bold: false },
    { text: "red", colour: 1, bold: true },
    { text: " b", colour: null, bold: false },
  ]);
  expect(stripAnsi("\u001b]8;;http://x\u0007link\u001b]8;;\u0007 \u001b[92mok\u001b[39m")).toBe("link ok");
});

it("shows the last redraw of a progress bar", () => {
  expect(spans("10 %\r50 %\r100 %")[0]?.text).toBe("100 %");
});
