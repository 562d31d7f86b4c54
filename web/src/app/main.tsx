import "@fontsource-variable/inter/index.css";
import "@fontsource-variable/jetbrains-mono/index.css";
import "./styles.css";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { session } from "@/shared/api/session";
import { followTheme } from "@/shared/lib/theme";
import { startLive } from "@/shared/live/live";
import { AwayPage } from "./fallbacks";
import { queries } from "./queries";
import { router } from "./router";

const RELOADED = "clinai.reloaded";

// a page opened before an update asks for files that are gone: the new page has them under new names
addEventListener("vite:preloadError", (event) => {
  const last = Number(sessionStorage.getItem(RELOADED) ?? 0);
  // twice within a minute is no update: the error page says what failed
  if (Date.now() - last < 60_000) return;
  event.preventDefault();
  sessionStorage.setItem(RELOADED, String(Date.now()));
  location.reload();
});

const root = document.getElementById("root");
if (!root) throw new Error("no #root");

followTheme();
const page = createRoot(root);
await session.start(() => page.render(<AwayPage />));
startLive(queries);
session.subscribe(() => {
  // nothing of one user is left for the next
  if (session.state === "out") queries.clear();
  void router.invalidate();
});

page.render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
