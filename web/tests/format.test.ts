import { describe, expect, it } from "vitest";
import { bytes, duration, durations, percent, quantile, relative, shortDigest, shortId } from "@/shared/lib/format";

describe("format", () => {
  it("writes sizes", () => {
    expect([0, 999, 1000, 1536, 1024 ** 2, 250 * 1024 ** 2, 2 * 1024 ** 3].map(bytes)).toEqual(["0 B", "999 B", "1 KB", "1.5 KB", "1 MB", "250 MB", "2 GB"]);
    expect(bytes(null)).toBe("–");
  });
  it("writes durations", () => {
    expect([0, 4.23, 87.4, 1530, 59_949, 92_000, 120_000, 3_660_000].map(duration)).toEqual(["0 ms", "4.2 ms", "87 ms", "1.5 s", "59.9 s", "1 min 32 s", "2 min", "1 h 1 min"]);
    expect(duration(undefined)).toBe("–");
  });
  it("writes the marks of an axis in one unit", () => {
    expect(durations([0, 250, 500])).toEqual(["0 ms", "250 ms", "500 ms"]);
    expect(durations([0, 500, 1500])).toEqual(["0 s", "0.5 s", "1.5 s"]);
    expect(durations([0, 60_000, 90_000])).toEqual(["0 min", "1 min", "1.5 min"]);
    expect(durations([])).toEqual([]);
  });
  it("writes relative times", () => {
    const now = Date.UTC(2026, 0, 2, 12);
    const ago = (s: number) => relative(now - s * 1000, now);
    expect([0, 30, 60, 250, 3600, 86_400, 86_400 * 40].map(ago)).toEqual(["just now", "just now", "1 minute ago", "4 minutes ago", "1 hour ago", "1 day ago", "1 month ago"]);
    expect(relative(now + 7_200_000, now)).toBe("in 2 hours");
    expect([relative(now - 250_000, now, true), relative(now - 7_200_000, now, true)]).toEqual(["4 min ago", "2 h ago"]);
  });
  it("shortens", () => {
    expect(shortId("0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000")).toBe("ffff0000");
    expect(shortDigest("sha256:" + "ab".repeat(32))).toBe("sha256:abababababab");
    expect([percent(1, 0), percent(1, 1), percent(2, 3)]).toEqual(["–", "100 %", "66.7 %"]);
    expect([quantile([], 0.5), quantile([3, 1, 2], 0.5)]).toEqual([null, 2]);
  });
});
