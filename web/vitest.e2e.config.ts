import { defineConfig, mergeConfig } from "vitest/config";
import base from "./vite.config.ts";

/** Browser tests against a running platform: CLINAI_URL=http://127.0.0.1:8000 npm run e2e */
export default mergeConfig(
  base,
  defineConfig({
    test: {
      include: ["e2e/**/*.e2e.ts"],
      environment: "node",
      // a machine with ten times the work it can do is slow, not broken
      testTimeout: 420_000,
      hookTimeout: 300_000,
      expect: { poll: { timeout: 60_000 } },
      fileParallelism: false,
    },
  }),
);
