import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const platform = process.env.CLINAI_URL ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  // The example package and the model's sample image lie beside this folder.
  server: {
    port: 5174,
    strictPort: true,
    fs: { allow: [fileURLToPath(new URL("..", import.meta.url))] },
    proxy: {
      "/api": { target: platform, changeOrigin: false },
      "/docs": { target: platform },
      "/ws": { target: platform.replace(/^http/, "ws"), ws: true },
    },
  },
  build: {
    target: "es2022",
    // A data: URL would not pass the Content-Security-Policy of fetch().
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
