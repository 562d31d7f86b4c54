import { defineConfig, mergeConfig } from "vitest/config";
import base from "./vite.config.ts";

/** Browser tests against a running platform: CLINAI_URL=http://127.0.0.1:8000 npm run e2e */
export default mergeConfig(
  base,
  defineConfig({
    test: {
      include: ["e2e/**/*.e2e.ts"],
      environment: "node",
      testTimeout: 180_000,
      hookTimeout: 120_000,
      fileParallelism: false,
    },
  }),
);
