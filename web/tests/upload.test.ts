import { expect, it } from "vitest";
import { SpeedMeter } from "@/shared/lib/upload";
import { nextNumber } from "@/features/models/components/upload-panel";

it("measures speed over a window", () => {
  const meter = new SpeedMeter();
  expect(meter.at(0, 1000, 0).speed).toBeNull();
  expect(meter.at(500, 1000, 1000)).toMatchObject({ speed: 500, secondsLeft: 1 });
  expect(meter.at(500, 1000, 9000).speed).toBe(0);
});

it("proposes the next version number", () => {
  expect([nextNumber([]), nextNumber(["1.0.9"]), nextNumber(["v3", "v4"]), nextNumber(["beta"])]).toEqual(["1.0.0", "1.0.10", "v5", "beta.1"]);
});
