import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";
import { session } from "@/shared/api/session";
import { CrashPage, NotFoundPage } from "./fallbacks";
import { Shell } from "./shell";

const root = createRootRoute({ component: Outlet, notFoundComponent: NotFoundPage, errorComponent: CrashPage });

const landing = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: lazyRouteComponent(() => import("@/features/auth/pages/landing"), "LandingPage"),
});

interface AuthSearch {
  next?: string;
}
const authSearch = (search: Record<string, unknown>): AuthSearch =>
  // only a path of this page: an address of elsewhere would be an open redirect
  typeof search.next === "string" && /^\/(?!\/)/.test(search.next) ? { next: search.next } : {};

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  validateSearch: authSearch,
  beforeLoad: ({ search }) => {
    if (session.state === "in") throw redirect({ href: search.next ?? "/dashboard", replace: true });
  },
  component: lazyRouteComponent(() => import("@/features/auth/pages/login"), "LoginPage"),
});

const register = createRoute({
  getParentRoute: () => root,
  path: "/register",
  validateSearch: authSearch,
  beforeLoad: ({ search }) => {
    if (session.state === "in") throw redirect({ href: search.next ?? "/dashboard", replace: true });
  },
  component: lazyRouteComponent(() => import("@/features/auth/pages/register"), "RegisterPage"),
});

const inside = createRoute({
  getParentRoute: () => root,
  id: "inside",
  component: Shell,
  beforeLoad: ({ location }) => {
    if (session.state !== "in") throw redirect({ to: "/login", search: { next: location.href }, replace: true });
  },
});

const dashboard = createRoute({
  getParentRoute: () => inside,
  path: "/dashboard",
  component: lazyRouteComponent(() => import("@/features/dashboard/pages/dashboard"), "DashboardPage"),
});

const models = createRoute({
  getParentRoute: () => inside,
  path: "/models",
  validateSearch: (search: Record<string, unknown>): { q?: string; show?: string; create?: boolean } => ({
    ...(typeof search.q === "string" && search.q && { q: search.q }),
    ...(typeof search.show === "string" && { show: search.show }),
    ...(search.create === true && { create: true }),
  }),
  component: lazyRouteComponent(() => import("@/features/models/pages/models"), "ModelsPage"),
});

const model = createRoute({
  getParentRoute: () => inside,
  path: "/models/$modelId",
  validateSearch: (search: Record<string, unknown>): { tab?: string; version?: string; upload?: boolean } => ({
    ...(typeof search.tab === "string" && { tab: search.tab }),
    ...(typeof search.version === "string" && { version: search.version }),
    ...(search.upload === true && { upload: true }),
  }),
  component: lazyRouteComponent(() => import("@/features/models/pages/model"), "ModelPage"),
});

const run = createRoute({
  getParentRoute: () => inside,
  path: "/run",
  validateSearch: (search: Record<string, unknown>): { model?: string; version?: string; sample?: boolean; jobs?: string } => ({
    ...(typeof search.model === "string" && { model: search.model }),
    ...(typeof search.version === "string" && { version: search.version }),
    ...(search.sample === true && { sample: true }),
    ...(typeof search.jobs === "string" && /^[0-9a-f-]{36}(,[0-9a-f-]{36})*$/.test(search.jobs) && { jobs: search.jobs }),
  }),
  component: lazyRouteComponent(() => import("@/features/run/pages/run"), "RunPage"),
});

const jobs = createRoute({
  getParentRoute: () => inside,
  path: "/jobs",
  validateSearch: (search: Record<string, unknown>): { status?: string; model?: string; time?: string } => ({
    ...(typeof search.status === "string" && search.status && { status: search.status }),
    ...(typeof search.model === "string" && search.model && { model: search.model }),
    ...(typeof search.time === "string" && search.time && { time: search.time }),
  }),
  component: lazyRouteComponent(() => import("@/features/jobs/pages/jobs"), "JobsPage"),
});

const job = createRoute({
  getParentRoute: () => inside,
  path: "/jobs/$jobId",
  component: lazyRouteComponent(() => import("@/features/jobs/pages/job"), "JobPage"),
});

const account = createRoute({
  getParentRoute: () => inside,
  path: "/account",
  component: lazyRouteComponent(() => import("@/features/account/pages/account"), "AccountPage"),
});

const admin = createRoute({
  getParentRoute: () => inside,
  path: "/admin",
  validateSearch: (search: Record<string, unknown>): { tab?: string } => ({
    ...(typeof search.tab === "string" && { tab: search.tab }),
  }),
  component: lazyRouteComponent(() => import("@/features/admin/pages/admin"), "AdminPage"),
});

export const router = createRouter({
  routeTree: root.addChildren([
    landing,
    login,
    register,
    inside.addChildren([dashboard, models, model, run, jobs, job, account, admin]),
  ]),
  defaultPreload: "intent",
  // a page that breaks leaves the shell around it standing
  defaultErrorComponent: CrashPage,
  defaultNotFoundComponent: NotFoundPage,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
